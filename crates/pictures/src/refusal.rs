//! Why a picture is not used, and the limits on what is read and decoded.

/// Most pixels that a picture may have: the limit above which Pillow refuses to decode.
pub const MAX_PIXELS: u64 = 178_956_970;

/// Longest file that is read: more than any picture of [`MAX_PIXELS`] needs, unless it is not compressed at all.
pub const MAX_BYTES: u64 = 256 << 20;

/// Why a picture is not used. Its text is the reason in the list of rejects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such file, or it is not a plain file.
    #[error("no such file")]
    Missing,
    /// The system does not let us read it.
    #[error("unreadable: {0}")]
    Unreadable(String),
    /// Its bytes are not those that were hashed when the run began.
    #[error("changed while it was being encoded")]
    Changed,
    /// More than [`MAX_BYTES`]; it was not read.
    #[error("too large a file: {0} bytes, at most {MAX_BYTES}")]
    TooManyBytes(u64),
    /// 0 bytes.
    #[error("empty file")]
    Empty,
    /// None of the known formats.
    #[error("not a picture (JPEG, PNG, GIF, WebP, BMP or TIFF)")]
    NotAPicture,
    /// More than [`MAX_PIXELS`], by its header; it was not decoded.
    #[error("too large: {width} x {height} pixels, at most {MAX_PIXELS} in all")]
    TooLarge {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// It ends before its last pixel.
    #[error("truncated")]
    Truncated,
    /// Its decoder refuses it.
    #[error("corrupt: {0}")]
    Corrupt(String),
}

impl Refusal {
    /// The reason without the file's particulars, for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "no such file",
            Self::Unreadable(_) => "unreadable",
            Self::Changed => "changed while it was being encoded",
            Self::Empty => "empty file",
            Self::NotAPicture => "not a picture",
            Self::TooLarge { .. } | Self::TooManyBytes(_) => "too large",
            Self::Truncated => "truncated",
            Self::Corrupt(_) => "corrupt",
        }
    }
}

/// Refuses a size that no picture of a post has.
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), Refusal> {
    match u64::from(width) * u64::from(height) {
        0 => Err(Refusal::Corrupt("no pixels".into())),
        pixels if pixels > MAX_PIXELS => Err(Refusal::TooLarge { width, height }),
        _ => Ok(()),
    }
}

/// A decoder's message as a refusal; some of them keep the kind of the error to themselves.
pub(crate) fn told(message: &str) -> Refusal {
    match one_line(message) {
        message
            if message
                .to_ascii_lowercase()
                .contains("unexpected end of file") =>
        {
            Refusal::Truncated
        }
        message => Refusal::Corrupt(message),
    }
}

/// Reasons go into a table: no line breaks.
pub(crate) fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
