//! The section `[head]` of an experiment.

use toml::{Table, Value};

use super::catalogue::{HEADS, HeadKind, options_of};
use crate::heads::{Head, Modalities, Sizes, Training};

/// The section `[head]`: which head, and every option of it.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadConfig {
    kind: &'static str,
    options: Table,
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self::resolve(Table::new()).expect("the defaults are in range")
    }
}

impl HeadConfig {
    /// From what was set; an option that was not is the head's default.
    pub(super) fn resolve(mut options: Table) -> Result<Self, String> {
        let kind = match options.remove(KIND) {
            None => &HEADS[0],
            Some(name) => find_kind(&name)?,
        };
        let is_known = |key: &&String| kind.options.iter().any(|option| option.name == **key);
        if let Some(key) = options.keys().find(|key| !is_known(key)) {
            let kind = kind.name;
            return Err(format!(
                "`head.{key}` is no option of head `{kind}`; `mmfnd heads` lists them"
            ));
        }
        Ok(Self {
            kind: kind.name,
            options: (kind.resolve)(&options)?,
        })
    }

    /// The head.
    pub fn kind(&self) -> &'static HeadKind {
        HeadKind::find(self.kind).expect("one of the list")
    }

    /// The encoders whose features it reads.
    pub fn encoders(&self) -> Vec<&'static str> {
        (self.kind().encoders)(&self.options)
    }

    /// The encoder whose classification layer it reads the outputs of, if any.
    pub(crate) fn reads_logits_of(&self) -> Option<&'static str> {
        (self.kind().reads_logits_of)(&self.options)
    }

    /// Why it cannot do with posts that lack a modality, if so.
    pub(super) fn needs_both(&self) -> Option<&'static str> {
        (self.kind().needs_both)(&self.options)
    }

    /// Why it cannot be trained on posts that name so many events, if so, and what to do; known before any feature is.
    pub fn check_events(&self, events: usize) -> Result<(), String> {
        let sizes = Sizes {
            events,
            ..Sizes::default()
        };
        (self.kind().check)(&self.options, &sizes)
    }

    /// What it is trained with where `[train]` does not say.
    pub(super) fn training(&self) -> Training {
        (self.kind().training)(&self.options)
    }

    /// All of the section's lines, every option set.
    pub(super) fn to_toml(&self) -> String {
        let kind = self.kind();
        let options = (kind.to_toml)(&self.options);
        format!("{KIND} = \"{}\"\n{options}", kind.name)
    }

    /// Every option with its value.
    pub(super) fn table(&self) -> &Table {
        &self.options
    }

    /// Whether it can score a post that has only this.
    pub(crate) fn can_score(&self, modalities: Modalities) -> bool {
        (self.kind().can_score)(&self.options, modalities)
    }

    /// Its options, of a head that is known to be `H`.
    ///
    /// # Panics
    /// If it is another head.
    pub fn options<H: Head>(&self) -> H::Config {
        assert_eq!(self.kind, H::NAME, "the configuration of another head");
        options_of::<H>(&self.options)
    }
}

/// Key of the head's name in the section `[head]`.
pub(super) const KIND: &str = "kind";

fn find_kind(name: &Value) -> Result<&'static HeadKind, String> {
    let found = name.as_str().and_then(HeadKind::find);
    found.ok_or_else(|| {
        let names = HEADS.iter().map(|kind| format!("`{}`", kind.name));
        let names = names.collect::<Vec<_>>().join(", ");
        format!("`head.kind` is {name}; it has to be one of {names}")
    })
}
