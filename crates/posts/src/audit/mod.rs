//! The leak audit (design §9). Posts come in; what would make a test result look better than it is goes out, as figures
//! and as sentences.

mod events;
mod figures;
mod findings;
#[cfg(test)]
mod fixture;
mod guess;
mod occurrences;
mod pictures;
mod texts;

pub use events::{Events, LargestEvent};
pub use figures::Audit;
pub use guess::{Baseline, Guess, UrlCount};
pub use occurrences::Shared;
pub use pictures::PictureAudit;
pub use texts::TextAudit;
