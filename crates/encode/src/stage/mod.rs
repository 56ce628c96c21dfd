//! A stage encodes contents of one kind: contents that the store lacks come in, batch by batch; their rows go out to
//! the writers of the store.

mod choices;
mod inference;
mod picture_stage;
mod pipeline;
mod stage_progress;
mod summary;
mod text_stage;
mod work;
mod writing;

pub(crate) use choices::Choices;
pub(crate) use picture_stage::encode_pictures;
pub use summary::{EncoderSummary, Summary};
pub(crate) use text_stage::encode_texts;
pub(crate) use work::StageOptions;
pub(crate) use writing::WriteWhen;
