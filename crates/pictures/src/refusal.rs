//! Why a picture is not used, and the limits on what is read and decoded.

/// Most pixels that a picture may have: the limit above which Pillow refuses to decode.
pub const MAX_PIXELS: u64 = 178_956_970;

/// Longest file that is read: more than any picture of [`MAX_PIXELS`] needs, unless it is not compressed at all.
pub const MAX_BYTES: u64 = 256 << 20;

/// Longest side: more than any JPEG has. A picture of one row of millions of pixels would need as many weights when it
/// is resized.
pub const MAX_SIDE: u32 = 65_535;

/// Most bytes of memory that the pictures being decoded take, each and all of them together.
pub const MAX_DECODING: u64 = 900 << 20;

/// Times that a picture may be larger than its file, once it has more than [`MAX_UNSUSPECTED`] bytes as RGB.
pub const MAX_RATIO: u64 = 1_000;

/// Bytes as RGB up to which no ratio is asked for: a plain wall may be small as a file.
pub const MAX_UNSUSPECTED: u64 = 64 << 20;

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
    /// A side longer than [`MAX_SIDE`], by its header; it was not decoded.
    #[error("too large: {width} x {height} pixels, at most {MAX_SIDE} a side")]
    TooLong {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Decoding it would take that many bytes, more than [`MAX_DECODING`]; it was not decoded.
    #[error("too large: decoding it takes {} MB of memory, at most {}", .0 >> 20, MAX_DECODING >> 20)]
    TooMuchMemory(u64),
    /// More than [`MAX_RATIO`] times as large as its file; it was not decoded.
    #[error(
        "too large: {decoded} bytes of pixels in a file of {file}, at most {MAX_RATIO} times as many"
    )]
    Bomb {
        /// Bytes as RGB.
        decoded: u64,
        /// Bytes of the file.
        file: u64,
    },
    /// A picture of a kind that is not read, though it may be a good one.
    #[error("not supported: {0}")]
    Unsupported(String),
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
            Self::TooLarge { .. }
            | Self::TooLong { .. }
            | Self::TooManyBytes(_)
            | Self::TooMuchMemory(_)
            | Self::Bomb { .. } => "too large",
            Self::Unsupported(_) => "not supported",
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
        _ if width.max(height) > MAX_SIDE => Err(Refusal::TooLong { width, height }),
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
