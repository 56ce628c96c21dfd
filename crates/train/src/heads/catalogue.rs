//! The heads that there are. A new one is a file or folder beside this one, and a line here.

/// An array with `$of::of::<H>()` for every head `H`, in the order in which `mmfnd heads` lists them; the first is the
/// default. So what a configuration and a run need of a head is made of one list.
macro_rules! each_head {
    ($of:ident) => {
        [
            $of::of::<$crate::heads::Mmfnd>(),
            $of::of::<$crate::heads::LinearProbe>(),
            $of::of::<$crate::heads::ConcatMlp>(),
            $of::of::<$crate::heads::FndClip>(),
            $of::of::<$crate::heads::Eann>(),
            $of::of::<$crate::heads::Safe>(),
            $of::of::<$crate::heads::Cafe>(),
            $of::of::<$crate::heads::Mcan>(),
            $of::of::<$crate::heads::Liimr>(),
            $of::of::<$crate::heads::Mvae>(),
            $of::of::<$crate::heads::Cmc>(),
            $of::of::<$crate::heads::Mcnn>(),
            $of::of::<$crate::heads::Mkemn>(),
            #[cfg(test)]
            $of::of::<$crate::heads::Example>(), // of docs/new-head.md
        ]
    };
}

pub(crate) use each_head;
