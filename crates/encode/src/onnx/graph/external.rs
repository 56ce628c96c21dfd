//! Which files beside it an ONNX file keeps weights in. ONNX Runtime opens whatever file a graph names, so what it may
//! name is checked first: only what the preset names has a checksum.

use std::collections::BTreeSet;

use super::protobuf::fields;

/// Messages within messages that are followed; those of real models are some ten deep.
const DEEPEST: usize = 100;

/// A message of an ONNX file in which, at some depth, a tensor may be.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Training,
    Function,
    Node,
    Attribute,
    SparseTensor,
    Tensor,
    /// A key and a value that say where a tensor's values lie.
    Place,
}

impl Message {
    /// The message that a field of this number holds, where a tensor may be in it.
    fn within(self, field: u64) -> Option<Self> {
        match (self, field) {
            (Self::Model, 7) | (Self::Training, 1 | 2) | (Self::Attribute, 6 | 11) => {
                Some(Self::Graph)
            }
            (Self::Model, 20) => Some(Self::Training),
            (Self::Model, 25) => Some(Self::Function),
            (Self::Graph, 1) | (Self::Function, 7) => Some(Self::Node),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => {
                Some(Self::Tensor)
            }
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Some(Self::SparseTensor),
            (Self::Node, 5) | (Self::Function, 11) => Some(Self::Attribute),
            (Self::Tensor, 13) => Some(Self::Place),
            _ => None,
        }
    }
}

/// The files that an ONNX model keeps weights in, as it names them; `None` where it is no such model.
pub(in crate::onnx) fn files(model: &[u8]) -> Option<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    walk(model, Message::Model, DEEPEST, &mut found)?;
    Some(found)
}

fn walk(bytes: &[u8], message: Message, depth: usize, found: &mut BTreeSet<String>) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    let (mut key, mut value) = (&[][..], &[][..]);
    for (field, content) in fields(bytes)? {
        match (message, field) {
            (Message::Place, 1) => key = content,
            (Message::Place, 2) => value = content,
            (message, field) => {
                if let Some(inner) = message.within(field) {
                    walk(content, inner, depth, found)?;
                }
            }
        }
    }
    if key == b"location" {
        found.insert(str::from_utf8(value).ok()?.to_owned());
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::super::protobuf::field;
    use super::*;

    /// A tensor of one float32 that lies in a file.
    fn tensor_in(file: &str) -> Vec<u8> {
        let entry = |key: &str, value: &str| {
            field(
                13,
                &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat(),
            )
        };
        let external = [
            entry("location", file),
            entry("offset", "0"),
            entry("length", "4"),
        ]
        .concat();
        [
            vec![8, 1, 16, 1],
            field(8, b"w"),
            external,
            vec![14 << 3, 1],
        ]
        .concat()
    }

    /// A model whose only output is a weight of the first file; the rest are only named.
    pub(crate) fn model_with(files: &[&str]) -> Vec<u8> {
        let weights: Vec<u8> = files
            .iter()
            .flat_map(|file| field(5, &tensor_in(file)))
            .collect();
        field(7, &weights)
    }

    #[test]
    fn a_file_is_found_wherever_a_graph_names_it() {
        let names = |model: &[u8]| files(model).map(|files| files.into_iter().collect::<Vec<_>>());
        assert_eq!(names(&model_with(&[])), Some(vec![]));
        assert_eq!(
            names(&model_with(&["b.bin", "a.bin"])),
            Some(vec!["a.bin".into(), "b.bin".into()])
        );
        let attribute = field(5, &field(5, &tensor_in("in_a_node.bin")));
        let inner = field(5, &field(6, &field(1, &attribute)));
        let deep = field(7, &field(1, &inner));
        assert_eq!(names(&deep), Some(vec!["in_a_node.bin".into()]));
    }

    #[test]
    fn what_is_no_model_names_nothing_and_is_told_apart() {
        let model = model_with(&["a.bin"]);
        assert_eq!(files(&model[..model.len() - 1]), None);
        assert_eq!(files(b"\xff\xff\xff"), None);
        let mut deep = Vec::new();
        for _ in 0..60 {
            deep = vec![6 << 3 | 2, 0].into_iter().chain(deep).collect();
        }
        assert!(
            files(&deep).is_some(),
            "a field that holds no message is passed over"
        );
    }
}
