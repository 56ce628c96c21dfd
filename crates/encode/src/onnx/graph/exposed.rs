//! A value within an ONNX graph, such as the states of all tokens, as one more output of it.

use super::protobuf::{field, fields};

/// A model whose graph also gives the value of that name, 32-bit floats; `None` where it does so anyway, or is no
/// model.
///
/// Nothing of the model is written anew: of two messages one behind the other protocol buffers make one, whose lists
/// have the members of both.
pub(in crate::onnx) fn exposed(model: &[u8], name: &str) -> Option<Vec<u8>> {
    let graphs = fields(model)?
        .into_iter()
        .filter(|(number, _)| *number == 7);
    for (_, graph) in graphs {
        let outputs = fields(graph)?
            .into_iter()
            .filter(|(number, _)| *number == 12);
        for (_, output) in outputs {
            if fields(output)?.contains(&(1, name.as_bytes())) {
                return None;
            }
        }
    }
    let float = field(2, &field(1, &[8, 1])); // a tensor whose elements are of type 1
    let output = [field(1, name.as_bytes()), float].concat();
    Some([model, &field(7, &field(12, &output))].concat())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_an_output_once() {
        let name = "/transformer/layers.3/norm2/a_name_of_more_than_127_characters_as_exported_graphs_have_them\
            _where_a_module_lies_in_many_others/output_0";
        let model = field(7, &field(12, &field(1, b"cls_layers")));
        let more = exposed(&model, name).unwrap();
        assert!(more.starts_with(&model));
        assert_eq!(exposed(&more, name), None);
        assert_eq!(exposed(&model, "cls_layers"), None);
        assert_eq!(exposed(&model[..3], name), None);
    }
}
