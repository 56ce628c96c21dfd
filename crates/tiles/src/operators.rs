//! The products as operators of ONNX Runtime.

use std::sync::{Arc, Mutex};

use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorDomain, OperatorInput, OperatorOutput,
    ShapeInferenceContext,
};
use ort::value::{SymbolicDimensions, TensorElementType, ValueType};

use crate::convolution::Convolution;
use crate::linear::Linear;
use crate::product::{DOMAIN, Product};

/// All operators of a model with these products, each computed by as many threads.
pub(crate) fn domain(products: &Arc<[Product]>, threads: usize) -> ort::Result<OperatorDomain> {
    let all = Arc::new(All {
        products: Arc::clone(products),
        threads,
    });
    let domain = OperatorDomain::new(DOMAIN)?;
    let domain = domain.add(LinearOperator(Arc::clone(&all)))?;
    domain.add(ConvolutionOperator(all))
}

struct All {
    products: Arc<[Product]>,
    threads: usize,
}

/// A product as ONNX Runtime calls it: by one thread at a time, as each session is run by one thread only.
struct Of {
    all: Arc<All>,
    number: usize,
}

impl Of {
    fn new(all: &Arc<All>, context: &KernelContext) -> ort::Result<Self> {
        let number: Option<i64> = context.get("number");
        let number = number.and_then(|number| usize::try_from(number).ok());
        let number = number.filter(|number| *number < all.products.len());
        Ok(Self {
            all: Arc::clone(all),
            number: number.ok_or_else(|| ort::Error::new("a product has no number"))?,
        })
    }

    /// [.., inputs] to [.., outputs]; each thread takes some rows.
    fn linear(&self, linear: &Linear, context: &ComputeContext) -> ort::Result<()> {
        let input = context.input(0)?.ok_or_else(missing)?;
        let (shape, rows) = input.try_extract_tensor::<f32>()?;
        let mut result = shape.to_vec();
        match result.last_mut() {
            Some(last) if *last == linear.inputs() as i64 => *last = linear.outputs() as i64,
            _ => return Err(unfit(shape)),
        }
        let mut output = context.output(0, result)?.ok_or_else(missing)?;
        let out = output.try_extract_tensor_mut::<f32>()?.1;
        let share = self.share(rows.len() / linear.inputs());
        let parts = rows.chunks(share * linear.inputs());
        let parts = parts.zip(out.chunks_mut(share * linear.outputs()));
        self.each(context, parts, |(rows, out)| linear.apply(rows, out))
    }

    /// [B, inputs, H, W] to [B, outputs, h, w]; each thread takes some pictures.
    fn convolution(&self, convolution: &Convolution, context: &ComputeContext) -> ort::Result<()> {
        let input = context.input(0)?.ok_or_else(missing)?;
        let (shape, maps) = input.try_extract_tensor::<f32>()?;
        let kind = convolution.shape();
        let sizes = match shape[..] {
            [_, channels, _, _] if channels == kind.inputs as i64 => shape.iter(),
            _ => return Err(unfit(shape)),
        };
        let sizes: Vec<usize> = sizes.map(|size| *size as usize).collect();
        let area = [kind.output(sizes[2]), kind.output(sizes[3])];
        let result = [sizes[0], kind.outputs, area[0], area[1]].map(|size| size as i64);
        let other = match context.num_inputs()? {
            1 => None,
            _ => context.input(1)?,
        };
        let other = other
            .as_ref()
            .map(|other| other.try_extract_tensor::<f32>());
        let other = other.transpose()?;
        if let Some((shape, _)) = other.as_ref().filter(|(shape, _)| shape[..] != result) {
            return Err(unfit(shape));
        }
        let mut output = context.output(0, result.to_vec())?.ok_or_else(missing)?;
        let out = output.try_extract_tensor_mut::<f32>()?.1;
        if out.is_empty() {
            return Ok(());
        }
        let (map, one) = (maps.len() / sizes[0], out.len() / sizes[0]);
        let share = self.share(sizes[0]);
        let parts = maps.chunks(share * map).zip(out.chunks_mut(share * one));
        self.each(context, parts.enumerate(), |(number, (maps, out))| {
            let sizes = [maps.len() / map, sizes[1], sizes[2], sizes[3]];
            let other = other.map(|(_, other)| &other[number * share * one..][..out.len()]);
            convolution.apply((maps, sizes), other, out);
        })
    }

    /// How many of so many things a thread takes.
    fn share(&self, count: usize) -> usize {
        count.div_ceil(self.all.threads.max(1)).max(1)
    }

    /// Does something with each part, side by side.
    fn each<T: Send>(
        &self,
        context: &ComputeContext,
        parts: impl Iterator<Item = T>,
        work: impl Fn(T) + Send + Sync,
    ) -> ort::Result<()> {
        if self.all.threads <= 1 {
            parts.for_each(work);
            return Ok(());
        }
        let parts: Vec<_> = parts.map(|part| Mutex::new(Some(part))).collect();
        context.par_for(parts.len(), parts.len(), |number| {
            let part = parts[number].lock().map(|mut part| part.take());
            part.ok().flatten().into_iter().for_each(&work);
        })
    }
}

impl Kernel for Of {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        match &self.all.products[self.number] {
            Product::Linear(linear) => self.linear(linear, context),
            Product::Convolution(convolution) => self.convolution(convolution, context),
        }
    }
}

fn missing() -> ort::Error {
    ort::Error::new("an input or output of a product is missing")
}

fn unfit(shape: &[i64]) -> ort::Error {
    ort::Error::new(format!("a product got an input of shape {shape:?}"))
}

/// `mmfnd:Linear`: [.., inputs] to [.., outputs].
struct LinearOperator(Arc<All>);

impl Operator for LinearOperator {
    type Kernel<'attr> = Of;

    fn name(&self) -> &str {
        "Linear"
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [OperatorInput::required(TensorElementType::Float32)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> ort::Result<Of> {
        Of::new(&self.0, context)
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> ort::Result<()> {
        let number: i64 = context.attr("number")?;
        let (Some(Product::Linear(linear)), Some(mut output)) = (
            self.0.products.get(number as usize),
            context.inputs().into_iter().next(),
        ) else {
            return Ok(());
        };
        if let ValueType::Tensor {
            shape,
            dimension_symbols,
            ..
        } = &mut output
            && let Some(last) = shape.last_mut()
        {
            *last = linear.outputs() as i64;
            // ONNX Runtime takes a size that is neither known nor named for the number -1
            let symbols = shape.iter().zip(dimension_symbols.iter()).enumerate();
            let symbols = symbols.map(|(axis, (size, symbol))| match (size, symbol.as_str()) {
                (-1, "") => format!("{DOMAIN}/{number}/{axis}"),
                (-1, symbol) => symbol.to_owned(),
                _ => String::new(),
            });
            *dimension_symbols = SymbolicDimensions::new(symbols.collect::<Vec<_>>());
            context.set_output(0, &output)?;
        }
        Ok(())
    }
}

/// `mmfnd:Convolution`: [B, inputs, H, W], and where there is a second input what is added, to [B, outputs, h, w].
struct ConvolutionOperator(Arc<All>);

impl Operator for ConvolutionOperator {
    type Kernel<'attr> = Of;

    fn name(&self) -> &str {
        "Convolution"
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        let other = OperatorInput::optional(TensorElementType::Float32);
        [OperatorInput::required(TensorElementType::Float32), other]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> ort::Result<Of> {
        Of::new(&self.0, context)
    }
}
