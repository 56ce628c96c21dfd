//! An ONNX model, whose large products with fixed weights are taken out of it and given to us.
//!
//! Nodes become nodes of our own operators (`mmfnd:Linear`, `mmfnd:Convolution`), whose weights no longer stand in the
//! model; all else stays byte for byte, and is ONNX Runtime's to optimise and run. Numbers of fields:
//! <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::arithmetic::Arithmetic;
use crate::convolution::Convolution;
use crate::linear::Linear;
use crate::planes::Shape;
use crate::product::{DOMAIN, Product};
use crate::protobuf::{self, Field, fields};

/// Linear maps with fewer weights are left alone: ONNX Runtime runs them together with what stands around them.
const LEAST: usize = 1 << 16;
const FLOAT: u64 = 1;

/// A model without the products.
pub(crate) struct Rewritten {
    pub model: Vec<u8>,
    pub products: Arc<[Product]>,
}

/// Takes the products out of a model; `None` where there is nothing to take, or the file is no such model (whoever
/// opens it then says what is wrong with it).
pub(crate) fn rewrite(model: &[u8], arithmetic: Arithmetic) -> Option<Rewritten> {
    let parts = fields(model)?;
    let graph = parts.iter().find(|field| field.number == 7)?.bytes();
    let (graph, products) = Graph::read(graph)?.rewrite(arithmetic)?;
    let length = graph.iter().map(|field| field.len()).sum::<usize>();
    let mut out = Vec::with_capacity(length + 1024);
    for field in &parts {
        match field.number {
            7 => {
                // piece by piece: there may be hundreds of megabytes left
                protobuf::put_head(&mut out, 7, length);
                graph.iter().for_each(|field| out.extend_from_slice(field));
            }
            _ => out.extend_from_slice(field.raw),
        }
    }
    let mut opset = Vec::new();
    protobuf::put_bytes(&mut opset, 1, DOMAIN.as_bytes());
    protobuf::put_number(&mut opset, 2, 1);
    protobuf::put_bytes(&mut out, 8, &opset);
    Some(Rewritten {
        model: out,
        products: products.into(),
    })
}

/// Whether there is a product to take out of a model; one that cannot be read has none.
pub fn has_products(model: &[u8]) -> bool {
    let graph = || {
        let parts = fields(model)?;
        let graph = parts.iter().find(|field| field.number == 7)?.bytes();
        Graph::read(graph)
    };
    graph().is_some_and(|graph| {
        (0..graph.nodes.len()).any(|index| {
            graph.linear_parts(index).is_some() || graph.convolution_parts(index).is_some()
        })
    })
}

/// A graph with what is looked at in it.
struct Graph<'a> {
    fields: Vec<Field<'a>>,
    nodes: Vec<Node<'a>>,
    outputs: Vec<&'a str>,
    weights: HashMap<&'a str, Weights<'a>>,
    /// How many nodes take a value, the graph's outputs among them.
    uses: HashMap<&'a str, usize>,
}

struct Node<'a> {
    kind: &'a str,
    inputs: Vec<&'a str>,
    outputs: Vec<&'a str>,
    attributes: HashMap<&'a str, Vec<u64>>,
    /// Written instead of it, if so; an empty one is left out.
    instead: Option<Vec<u8>>,
}

/// Numbers that stand in the model.
#[derive(Clone)]
struct Weights<'a> {
    shape: Vec<usize>,
    values: &'a [[u8; 4]],
}

/// Fields of a message, one after the other.
type Pieces<'a> = Vec<Cow<'a, [u8]>>;

/// Shape, weights and bias.
type ConvolutionParts<'a> = (Shape, &'a [[u8; 4]], Vec<f32>);

impl<'a> Graph<'a> {
    fn read(graph: &'a [u8]) -> Option<Self> {
        let fields = fields(graph)?;
        let (mut nodes, mut outputs) = (Vec::new(), Vec::new());
        let (mut weights, mut uses) = (HashMap::new(), HashMap::<_, usize>::new());
        for field in &fields {
            match field.number {
                1 => nodes.push(Node::read(field.bytes())?),
                5 => weights.extend(self::weights(field.bytes())?),
                12 => {
                    let output = protobuf::fields(field.bytes())?;
                    outputs.push(output.iter().find(|field| field.number == 1)?.text());
                }
                _ => {}
            }
        }
        for name in nodes.iter().flat_map(|node| &node.inputs).chain(&outputs) {
            *uses.entry(*name).or_default() += 1;
        }
        Some(Self {
            fields,
            nodes,
            outputs,
            weights,
            uses,
        })
    }

    /// The graph without its products; `None` where it has none.
    fn rewrite(mut self, arithmetic: Arithmetic) -> Option<(Pieces<'a>, Vec<Product>)> {
        let mut products = Vec::new();
        for index in 0..self.nodes.len() {
            if self.nodes[index].instead.is_some() {
                continue;
            }
            self.linear(index, arithmetic, &mut products);
            self.convolution(index, arithmetic, &mut products);
        }
        (!products.is_empty()).then(|| (self.write(), products))
    }

    fn linear(
        &mut self,
        index: usize,
        arithmetic: Arithmetic,
        products: &mut Vec<Product>,
    ) -> Option<()> {
        let ([input, output], weights) = self.linear_parts(index)?;
        let instead = node_of("Linear", &[input], output, products.len());
        let linear = Linear::new(
            arithmetic,
            weights.values,
            (weights.shape[0], weights.shape[1]),
        );
        products.push(Product::Linear(linear));
        self.nodes[index].instead = Some(instead);
        Some(())
    }

    /// Input, output and weights of a linear map that can be taken out.
    fn linear_parts(&self, index: usize) -> Option<([&'a str; 2], &Weights<'a>)> {
        let node = &self.nodes[index];
        let ([input, weights], [output]) = (&node.inputs[..], &node.outputs[..]) else {
            return None;
        };
        let weights = self.weights.get(weights)?;
        let [inputs, outputs] = weights.shape[..] else {
            return None;
        };
        let is_large = Linear::fits(inputs) && inputs * outputs >= LEAST;
        (node.kind == "MatMul" && is_large).then_some(([*input, *output], weights))
    }

    fn convolution(
        &mut self,
        index: usize,
        arithmetic: Arithmetic,
        products: &mut Vec<Product>,
    ) -> Option<()> {
        let (shape, weights, bias) = self.convolution_parts(index)?;
        let sum = self.sum_after(index);
        let last = sum.map_or(index, |(sum, _)| sum);
        let relu = self.only_user(last, "Relu");
        let last = relu.unwrap_or(last);
        let mut inputs = vec![self.nodes[index].inputs[0]];
        inputs.extend(sum.map(|(_, other)| other));
        let [output] = self.nodes[last].outputs[..] else {
            return None;
        };
        let instead = node_of("Convolution", &inputs, output, products.len());
        let convolution = Convolution::new(arithmetic, (shape, weights), bias, relu.is_some());
        products.push(Product::Convolution(convolution));
        for node in [Some(index), sum.map(|(sum, _)| sum), relu] {
            node.into_iter()
                .for_each(|node| self.nodes[node].instead = Some(Vec::new()));
        }
        // where all that it takes is there
        self.nodes[last].instead = Some(instead);
        Some(())
    }

    /// Shape, weights and bias of a convolution that can be taken out.
    fn convolution_parts(&self, index: usize) -> Option<ConvolutionParts<'a>> {
        let node = &self.nodes[index];
        let weights = self.weights.get(node.inputs.get(1)?)?;
        let [outputs, inputs, kernel, width] = weights.shape[..] else {
            return None;
        };
        let float = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
        let bias: Vec<f32> = match node.inputs.get(2) {
            Some(bias) => self.weights.get(bias)?.values.iter().map(float).collect(),
            None => vec![0.0; outputs],
        };
        let all = |name: &str, default: u64| {
            let values = node.attributes.get(name).map_or(&[][..], Vec::as_slice);
            let value = *values.first().unwrap_or(&default);
            values
                .iter()
                .all(|other| *other == value)
                .then_some(value as usize)
        };
        let shape = Shape {
            inputs,
            outputs,
            kernel,
            stride: all("strides", 1)?,
            padding: all("pads", 0)?,
        };
        let is_plain = all("dilations", 1)? == 1
            && all("group", 1)? == 1
            && !node.attributes.contains_key("auto_pad");
        let fits = node.kind == "Conv"
            && is_plain
            && shape.fits()
            && kernel == width
            && bias.len() == outputs;
        fits.then_some((shape, weights.values, bias))
    }

    /// The sum that alone takes a node's value, and its other summand: a map like the first, not something that is
    /// added to all positions.
    fn sum_after(&self, index: usize) -> Option<(usize, &'a str)> {
        let sum = self.only_user(index, "Add")?;
        let value = self.nodes[index].outputs[0];
        let other = self.nodes[sum]
            .inputs
            .iter()
            .find(|input| **input != value)?;
        let maker = self
            .nodes
            .iter()
            .find(|node| node.outputs.contains(other))?;
        ["Conv", "Relu", "MaxPool"]
            .contains(&maker.kind)
            .then_some((sum, *other))
    }

    /// The node that alone takes a node's value, if it is of this kind.
    fn only_user(&self, index: usize, kind: &str) -> Option<usize> {
        let [value] = self.nodes[index].outputs[..] else {
            return None;
        };
        let is_user = |node: &Node| {
            node.kind == kind && node.instead.is_none() && node.inputs.contains(&value)
        };
        let user = self.nodes.iter().position(is_user)?;
        (self.uses[value] == 1).then_some(user)
    }

    /// The fields of the graph with what stands instead of nodes, without weights that nobody takes any more.
    fn write(&self) -> Pieces<'a> {
        let kept = self.nodes.iter().filter(|node| node.instead.is_none());
        let needed = kept.flat_map(|node| node.inputs.iter().copied());
        let needed: HashSet<&str> = needed.chain(self.outputs.iter().copied()).collect();
        let mut nodes = self.nodes.iter();
        let field = |field: &Field<'a>| match field.number {
            1 => match nodes.next().and_then(|node| node.instead.as_ref()) {
                None => Some(Cow::Borrowed(field.raw)),
                Some(instead) if instead.is_empty() => None,
                Some(instead) => {
                    let mut node = Vec::new();
                    protobuf::put_bytes(&mut node, 1, instead);
                    Some(Cow::Owned(node))
                }
            },
            5 if !is_needed(field, &needed) => None,
            _ => Some(Cow::Borrowed(field.raw)),
        };
        self.fields.iter().filter_map(field).collect()
    }
}

fn is_needed(weights: &Field, needed: &HashSet<&str>) -> bool {
    let name = fields(weights.bytes()).unwrap_or_default();
    let name = name.iter().find(|field| field.number == 8);
    name.is_none_or(|name| needed.contains(name.text()))
}

impl<'a> Node<'a> {
    fn read(node: &'a [u8]) -> Option<Self> {
        let mut read = Self {
            kind: "",
            inputs: Vec::new(),
            outputs: Vec::new(),
            attributes: HashMap::new(),
            instead: None,
        };
        let mut domain = "";
        for field in fields(node)? {
            match field.number {
                1 => read.inputs.push(field.text()),
                2 => read.outputs.push(field.text()),
                4 => read.kind = field.text(),
                5 => read.attributes.extend(attribute(field.bytes())?),
                7 => domain = field.text(),
                _ => {}
            }
        }
        if !["", "ai.onnx"].contains(&domain) {
            read.kind = "";
        }
        Some(read)
    }
}

/// Name and integers of an attribute; none of other kinds. A graph inside a node is none of ours, but its nodes may
/// take our values: such a model is left alone.
fn attribute(attribute: &[u8]) -> Option<Option<(&str, Vec<u64>)>> {
    let (mut name, mut values) = ("", Vec::new());
    for field in fields(attribute)? {
        match field.number {
            1 => name = field.text(),
            3 => values.push(field.varint()),
            8 if field.bytes().is_empty() => values.push(field.varint()),
            8 => values.extend(protobuf::varints(field.bytes())?),
            6 | 11 => return None,
            _ => {}
        }
    }
    Some(Some((name, values)))
}

/// Name and numbers of an initial value, where these are float32. A model of which some stand in a file beside it is
/// left alone.
fn weights(tensor: &[u8]) -> Option<Option<(&str, Weights<'_>)>> {
    let (mut name, mut shape, mut bytes, mut kind, mut is_outside) =
        ("", Vec::new(), &[][..], 0, false);
    for field in fields(tensor)? {
        match field.number {
            1 if field.bytes().is_empty() => shape.push(field.varint()),
            1 => shape.extend(protobuf::varints(field.bytes())?),
            2 => kind = field.varint(),
            8 => name = field.text(),
            9 => bytes = field.bytes(),
            14 => is_outside = field.varint() != 0,
            _ => {}
        }
    }
    let shape: Vec<usize> = shape.into_iter().map(|axis| axis as usize).collect();
    let length = shape
        .iter()
        .try_fold(4, |all: usize, axis| all.checked_mul(*axis));
    if is_outside {
        return None; // a file beside this one is found by the model's own path only
    }
    let is_usable = kind == FLOAT && length == Some(bytes.len());
    let values = bytes.as_chunks().0;
    Some(is_usable.then_some((name, Weights { shape, values })))
}

/// A node of ours.
fn node_of(kind: &str, inputs: &[&str], output: &str, number: usize) -> Vec<u8> {
    let (mut node, mut attribute) = (Vec::new(), Vec::new());
    for input in inputs {
        protobuf::put_bytes(&mut node, 1, input.as_bytes());
    }
    protobuf::put_bytes(&mut node, 2, output.as_bytes());
    protobuf::put_bytes(&mut node, 3, format!("{DOMAIN}/{number}").as_bytes());
    protobuf::put_bytes(&mut node, 4, kind.as_bytes());
    protobuf::put_bytes(&mut attribute, 1, b"number");
    protobuf::put_number(&mut attribute, 3, number as u64);
    protobuf::put_number(&mut attribute, 20, 2); // of the kind INT
    protobuf::put_bytes(&mut node, 5, &attribute);
    protobuf::put_bytes(&mut node, 7, DOMAIN.as_bytes());
    node
}
