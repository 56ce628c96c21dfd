//! What people want to know of a store. A store comes in; counts, damage, or one table for data frames go out.

pub(crate) mod export;
pub(crate) mod inspect;
pub(crate) mod verify;
