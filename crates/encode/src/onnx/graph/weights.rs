//! Other weights in the place of those of an ONNX graph's convolutions: the values alone are written over, so nothing
//! else of the file changes.

use std::collections::HashMap;
use std::ops::Range;

use super::protobuf::fields;

/// How far a weight of the graph may be from the one that it is recognised by, as a share of the largest.
const CLOSE: f32 = 1e-4;

/// Weight and bias of a convolution, with the batch norm behind it folded into them.
#[derive(Clone, Debug)]
pub struct Folded {
    /// `[C_output, C_input, size, size]`, value by value.
    pub weight: Vec<f32>,
    /// `[C_output]`
    pub bias: Vec<f32>,
}

/// A convolution before and after a training.
#[derive(Clone, Debug)]
pub struct Retrained {
    /// What the graph has.
    pub was: Folded,
    /// What takes its place.
    pub is: Folded,
}

/// A model whose convolutions have other weights; each of them has to be one of those given, known by its values.
pub(super) fn retrained(model: &[u8], all: &[Retrained]) -> Result<Vec<u8>, String> {
    let places = convolutions(model).ok_or("it is no ONNX model")?;
    if places.len() != all.len() {
        let (found, known) = (places.len(), all.len());
        return Err(format!(
            "it has {found} convolutions with weights as raw 32-bit floats and a bias, and the ResNet has {known}"
        ));
    }
    let mut written = model.to_vec();
    for (number, [weight, bias]) in places.iter().enumerate() {
        let there = numbers(&model[weight.clone()]);
        let same = all.iter().find(|one| is_close(&one.was.weight, &there));
        let same = same.ok_or_else(|| {
            format!("the weights of its convolution {number} are not those of the ResNet's file")
        })?;
        for (range, values) in [(weight, &same.is.weight), (bias, &same.is.bias)] {
            let bytes: Vec<u8> = values.iter().copied().flat_map(f32::to_le_bytes).collect();
            if bytes.len() != range.len() {
                return Err(format!("its convolution {number} has another size"));
            }
            written[range.clone()].copy_from_slice(&bytes);
        }
    }
    Ok(written)
}

/// Where weight and bias of each convolution lie in a model.
fn convolutions(model: &[u8]) -> Option<Vec<[Range<usize>; 2]>> {
    let place = |content: &[u8]| {
        let start = content.as_ptr() as usize - model.as_ptr() as usize;
        start..start + content.len()
    };
    let (mut initialisers, mut nodes) = (HashMap::new(), Vec::new());
    for (_, graph) in fields(model)?
        .into_iter()
        .filter(|(number, _)| *number == 7)
    {
        for (number, content) in fields(graph)? {
            match number {
                1 => nodes.push(fields(content)?),
                5 => {
                    let tensor = fields(content)?;
                    let of = |wanted| tensor.iter().find(|(number, _)| *number == wanted);
                    if let (Some((_, name)), Some((_, raw))) = (of(8), of(9)) {
                        initialisers.insert(*name, place(raw));
                    }
                }
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    for node in nodes {
        if !node.contains(&(4, b"Conv".as_slice())) {
            continue;
        }
        let inputs = node.iter().filter(|(number, _)| *number == 1);
        let inputs: Vec<_> = inputs.map(|(_, name)| initialisers.get(name)).collect();
        if let [_, Some(weight), Some(bias)] = inputs[..] {
            found.push([weight.clone(), bias.clone()]);
        }
    }
    Some(found)
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

fn is_close(a: &[f32], b: &[f32]) -> bool {
    let largest = a.iter().fold(0.0, |most: f32, value| most.max(value.abs()));
    let mut pairs = a.iter().zip(b);
    a.len() == b.len() && pairs.all(|(a, b)| (a - b).abs() <= CLOSE * largest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::protobuf::field;
    use super::*;

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().copied().flat_map(f32::to_le_bytes).collect()
    }

    /// A graph of one convolution.
    fn model(weight: &[f32], bias: &[f32]) -> Vec<u8> {
        let names = [&b"x"[..], b"w", b"b"].map(|name| field(1, name)).concat();
        let node = [names, field(4, b"Conv")].concat();
        let tensor = |name: &[u8], values| [field(8, name), field(9, &bytes(values))].concat();
        let tensors = [
            field(5, &tensor(b"w", weight)),
            field(5, &tensor(b"b", bias)),
        ];
        field(7, &[field(1, &node), tensors.concat()].concat())
    }

    fn folded(weight: &[f32], bias: &[f32]) -> Folded {
        Folded {
            weight: weight.to_vec(),
            bias: bias.to_vec(),
        }
    }

    #[test]
    fn values_are_written_over_and_nothing_else() {
        let (was, is) = (folded(&[1.0, -2.0], &[0.5]), folded(&[3.0, 4.0], &[-5.0]));
        let one = Retrained {
            was: was.clone(),
            is,
        };
        let written = retrained(&model(&[1.0, -2.0], &[0.5]), std::slice::from_ref(&one)).unwrap();
        assert_eq!(written, model(&[3.0, 4.0], &[-5.0]));
        let error =
            retrained(&model(&[1.0, -2.1], &[0.5]), std::slice::from_ref(&one)).unwrap_err();
        assert!(error.contains("convolution 0"), "{error}");
        let error = retrained(&model(&[1.0, -2.0], &[0.5]), &[]).unwrap_err();
        assert!(error.contains("has 0"), "{error}");
        assert!(retrained(b"no model", &[one]).is_err());
    }
}
