//! Comes in: what the sections have to say. Goes out: tables, figures and cards that a page, a text file or a program
//! can be made of.

mod card;
mod figure;
mod section;
mod table;
mod text;

pub use card::{Card, Picture};
pub use figure::Figure;
pub use section::{Block, Report, Section};
pub use table::{Cell, Column, Table};
pub use text::{Format, write_tables};
