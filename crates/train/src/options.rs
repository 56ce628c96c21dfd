//! Options of heads and of the training. Each is said once, in a struct that `options!` makes: its key, its type, its
//! default, the values that it may have and a line of help.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A section of an experiment: a struct that `options!` makes.
pub trait Options: Clone + Default + Serialize + DeserializeOwned {
    /// What there is to set, in order.
    const OPTIONS: &'static [OptionInfo];

    /// A number that is out of its range is an error that names it.
    fn check_ranges(&self) -> Result<(), String>;
}

/// An option as it is shown to people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptionInfo {
    /// Its key in the section.
    pub name: &'static str,
    /// The values that it may have.
    pub values: Values,
    /// What it does.
    pub about: &'static str,
}

/// The values that an option may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values {
    /// Numbers between these two, which are included.
    Range(f64, f64),
    /// One of these words.
    Words(&'static [&'static str]),
    /// A list of some of these words.
    List(&'static [&'static str]),
    /// What this says.
    Text(&'static str),
}

impl Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(low, high) => write!(f, "{low} to {high}"),
            Self::Words(words) => f.write_str(&words.join(", ")),
            Self::List(words) => write!(f, "list of {}", words.join(", ")),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What a range is of.
pub(crate) trait Number {
    /// Its type.
    type Value: PartialOrd + Display;
    /// Its value, if it is set.
    fn value(&self) -> Option<&Self::Value>;
}

impl Number for usize {
    type Value = Self;
    fn value(&self) -> Option<&Self> {
        Some(self)
    }
}

impl Number for f64 {
    type Value = Self;
    fn value(&self) -> Option<&Self> {
        Some(self)
    }
}

impl Number for Option<usize> {
    type Value = usize;
    fn value(&self) -> Option<&usize> {
        self.as_ref()
    }
}

/// Says which option is out of range.
pub(crate) fn within<N: Number>(
    key: &str,
    number: &N,
    range: RangeInclusive<N::Value>,
) -> Result<(), String> {
    let (low, high) = (range.start(), range.end());
    match number.value() {
        Some(value) if !range.contains(value) => Err(format!(
            "`{key}` is {value}; it has to be from {low} to {high}"
        )),
        _ => Ok(()),
    }
}

/// Makes a section of an experiment. Of each option it says `KEY: TYPE = DEFAULT, VALUES;` below a line of help, VALUES
/// being `range LOW..=HIGH`, `words LIST`, `list LIST` or `text "in words"`.
macro_rules! options {
    (
        $(#[$attribute:meta])*
        pub struct $name:ident in $section:literal {
            $(
                $(#[doc = $about:literal])+
                $(#[serde($($serde:tt)*)])?
                $key:ident: $type:ty = $default:expr, $kind:ident $values:expr;
            )+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $(
                $(#[doc = $about])+
                $(#[serde($($serde)*)])?
                pub $key: $type,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }

        impl $crate::options::Options for $name {
            const OPTIONS: &'static [$crate::options::OptionInfo] = &[
                $($crate::options::OptionInfo {
                    name: stringify!($key),
                    values: $crate::options::options!(@values $kind $values),
                    about: concat!($($about),+).trim_ascii(),
                },)+
            ];

            fn check_ranges(&self) -> Result<(), String> {
                $($crate::options::options!(
                    @check $kind $values, &self.$key, concat!($section, ".", stringify!($key))
                );)+
                Ok(())
            }
        }
    };
    (@values range $values:expr) => {
        $crate::options::Values::Range(*$values.start() as f64, *$values.end() as f64)
    };
    (@values words $values:expr) => { $crate::options::Values::Words($values) };
    (@values list $values:expr) => { $crate::options::Values::List($values) };
    (@values text $values:expr) => { $crate::options::Values::Text($values) };
    (@check range $values:expr, $number:expr, $key:expr) => {
        $crate::options::within($key, $number, $values)?
    };
    (@check $other:ident $values:expr, $number:expr, $key:expr) => {};
}

pub(crate) use options;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    options! {
        /// Made up.
        pub struct MadeUp in "made" {
            /// how many
            /// there are
            count: usize = 3, range 1..=8;
            /// how many more, if any
            more: Option<usize> = None, range 1..=2;
            /// a share
            share: f64 = 0.5, range 0.0..=0.9;
            /// which
            word: String = "a".into(), words &["a", "b"];
        }
    }

    #[test]
    fn an_option_is_said_once() {
        let said: Vec<_> = MadeUp::OPTIONS
            .iter()
            .map(|option| format!("{}: {} ({})", option.name, option.about, option.values))
            .collect();
        let expected = [
            "count: how many there are (1 to 8)",
            "more: how many more, if any (1 to 2)",
            "share: a share (0 to 0.9)",
            "word: which (a, b)",
        ];
        assert_eq!(said, expected);
        assert_eq!(MadeUp::default().count, 3);
    }

    #[test]
    fn a_number_out_of_range_is_named_with_the_range() {
        let check = |text: &str| toml::from_str::<MadeUp>(text).unwrap().check_ranges();
        assert_eq!(check("count = 8\nshare = 0.9"), Ok(()));
        let wrong = [
            ("count = 9", "`made.count` is 9; it has to be from 1 to 8"),
            ("more = 0", "`made.more` is 0; it has to be from 1 to 2"),
            (
                "share = nan",
                "`made.share` is NaN; it has to be from 0 to 0.9",
            ),
        ];
        for (text, problem) in wrong {
            assert_eq!(check(text).unwrap_err(), problem);
        }
    }
}
