//! Event files, as TensorBoard reads them: records of a length, its checksum, an `Event` of protocol buffers, and its
//! checksum (tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto).

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// An event file that is being written.
pub(crate) struct EventFile<W> {
    out: W,
}

impl EventFile<File> {
    /// A new file in a folder, under a name that TensorBoard takes for an event file; the folder's own earlier one is
    /// replaced, since it would be shown beside the new one.
    pub(crate) fn create(folder: &Path, seconds: f64) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Self::begin(
            File::create(folder.join("events.out.tfevents.0.mmfnd"))?,
            seconds,
        )
    }
}

impl<W: Write> EventFile<W> {
    /// Writes the version that stands at the beginning of every file; `seconds` since 1970.
    pub(crate) fn begin(out: W, seconds: f64) -> io::Result<Self> {
        let mut file = Self { out };
        let mut event = Message::default();
        event.double(1, seconds).bytes(3, b"brain.Event:2");
        file.record(&event.0)?;
        Ok(file)
    }

    /// Adds figures of one step under their names.
    pub(crate) fn add(
        &mut self,
        seconds: f64,
        step: usize,
        figures: &[(&str, f64)],
    ) -> io::Result<()> {
        let mut summary = Message::default();
        for (tag, figure) in figures {
            let mut value = Message::default();
            value.bytes(1, tag.as_bytes()).float(2, *figure as f32);
            summary.bytes(1, &value.0);
        }
        let mut event = Message::default();
        event
            .double(1, seconds)
            .integer(2, step as u64)
            .bytes(5, &summary.0);
        self.record(&event.0)
    }

    fn record(&mut self, data: &[u8]) -> io::Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(masked(&length).to_le_bytes());
        record.extend(data);
        record.extend(masked(data).to_le_bytes());
        self.out.write_all(&record)?; // at once, so that a reader beside us sees whole records
        self.out.flush()
    }
}

/// A message of protocol buffers.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn key(&mut self, field: u8, kind: u8) -> &mut Self {
        self.0.push(field << 3 | kind);
        self
    }

    fn varint(&mut self, mut value: u64) -> &mut Self {
        while value > 0x7F {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    fn integer(&mut self, field: u8, value: u64) -> &mut Self {
        self.key(field, 0).varint(value)
    }

    fn double(&mut self, field: u8, value: f64) -> &mut Self {
        self.key(field, 1).0.extend(value.to_le_bytes());
        self
    }

    fn bytes(&mut self, field: u8, value: &[u8]) -> &mut Self {
        self.key(field, 2)
            .varint(value.len() as u64)
            .0
            .extend(value);
        self
    }

    fn float(&mut self, field: u8, value: f32) -> &mut Self {
        self.key(field, 5).0.extend(value.to_le_bytes());
        self
    }
}

/// CRC-32C, turned and shifted, since a checksum of data that hold checksums says little.
fn masked(data: &[u8]) -> u32 {
    let crc = !data.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82F6_3B78 * (crc & 1))
        })
    });
    crc.rotate_right(15).wrapping_add(0xA282_EAD8)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// `tests/golden/events.py` writes it with the package `tensorboard`.
    #[test]
    fn the_bytes_are_those_of_tensorboards_own_writer() {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/events.tfevents");
        let mut bytes = Vec::new();
        let mut file = EventFile::begin(&mut bytes, 1_700_000_000.0).unwrap();
        for step in [1, 2, 300] {
            let figures = [
                ("loss/train", 1.0 / step as f64),
                ("accuracy/validation", 0.5 + step as f64 / 1000.0),
            ];
            file.add(1_700_000_000.0 + step as f64 / 4.0, step, &figures)
                .unwrap();
        }
        assert!(bytes == std::fs::read(golden).unwrap(), "the files differ");
    }

    #[test]
    fn a_checksum_is_that_of_the_standard() {
        // RFC 3720, B.4: 32 bytes of zeros have 0x8A9136AA
        let crc = masked(&[0; 32]).wrapping_sub(0xA282_EAD8).rotate_left(15);
        assert_eq!(crc, 0x8A91_36AA);
    }
}
