//! Protocol buffers as far as an ONNX model needs them: the fields of a message in their order, and writing them again.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Field<'a> {
    pub number: u64,
    pub value: Value<'a>,
    /// The field as it stands in the message.
    pub raw: &'a [u8],
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    /// A message, a text, or packed numbers.
    Bytes(&'a [u8]),
    Fixed,
}

impl<'a> Field<'a> {
    /// Its bytes; none where it is a number.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        match self.value {
            Value::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    /// Its text; empty where it is none.
    pub(crate) fn text(&self) -> &'a str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// Its number; 0 where it is none.
    pub(crate) fn varint(&self) -> u64 {
        match self.value {
            Value::Varint(value) => value,
            _ => 0,
        }
    }
}

/// The fields of a message; `None` where it is none.
pub(crate) fn fields(message: &[u8]) -> Option<Vec<Field<'_>>> {
    let (mut rest, mut fields) = (message, Vec::new());
    while !rest.is_empty() {
        let start = rest;
        let tag = varint(&mut rest)?;
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut rest)?),
            1 => take(&mut rest, 8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                Value::Bytes(take(&mut rest, length)?)
            }
            5 => take(&mut rest, 4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        fields.push(Field {
            number: tag >> 3,
            value,
            raw: &start[..start.len() - rest.len()],
        });
    }
    Some(fields)
}

/// Varints that stand one after the other.
pub(crate) fn varints(mut bytes: &[u8]) -> Option<Vec<u64>> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        values.push(varint(&mut bytes)?);
    }
    Some(values)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(taken)
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a number.
pub(crate) fn put_number(out: &mut Vec<u8>, field: u64, value: u64) {
    put_varint(out, field << 3);
    put_varint(out, value);
}

/// Appends a text or a message.
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_head(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends what stands before the bytes of a text or a message.
pub(crate) fn put_head(out: &mut Vec<u8>, field: u64, length: usize) {
    put_varint(out, field << 3 | 2);
    put_varint(out, length as u64);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut message = Vec::new();
        put_number(&mut message, 1, 300);
        put_bytes(&mut message, 20, b"text");
        message.extend([3 << 3 | 5, 0, 0, 128, 63]); // a float
        let fields = fields(&message).unwrap();
        let numbers: Vec<_> = fields.iter().map(|field| field.number).collect();
        assert_eq!(numbers, [1, 20, 3]);
        assert_eq!((fields[0].varint(), fields[1].text()), (300, "text"));
        let raw: Vec<u8> = fields.iter().flat_map(|field| field.raw).copied().collect();
        assert_eq!(raw, message);
        assert_eq!(varints(&[0xac, 0x02, 7]).unwrap(), [300, 7]);
    }

    #[test]
    fn a_message_that_is_cut_short_is_none() {
        let mut message = Vec::new();
        put_bytes(&mut message, 1, &[7; 200]);
        for length in 1..message.len() {
            assert_eq!(fields(&message[..length]), None);
        }
        assert_eq!(fields(&[0xff; 12]), None);
    }
}
