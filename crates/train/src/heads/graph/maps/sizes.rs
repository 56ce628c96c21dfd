//! Numbers of pictures, places and channels of a convolution.

use burn::tensor::Tensor;

/// The window that a convolution moves over a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::heads) struct Window {
    pub size: usize,
    pub stride: usize,
    pub padding: usize,
}

/// Numbers of pictures, places and channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub pictures: usize,
    /// Height and width.
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub d_input: usize,
    pub d_output: usize,
    pub window: Window,
}

impl Sizes {
    pub fn of(x: &Tensor<4>, weight: &Tensor<4>, window: Window) -> Self {
        let ([pictures, height, width, d_input], [d_output, read, rows, columns]) =
            (x.dims(), weight.dims());
        assert_eq!([read, rows, columns], [d_input, window.size, window.size]);
        let output = [height, width]
            .map(|side| (side + 2 * window.padding - window.size) / window.stride + 1);
        Self {
            pictures,
            input: [height, width],
            output,
            d_input,
            d_output,
            window,
        }
    }

    /// Places of a picture's output.
    pub fn places(self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Values of a picture's input.
    pub fn picture(self) -> usize {
        self.input[0] * self.input[1] * self.d_input
    }

    /// Of the convolution, of stride 1, whose output is the gradient of the input.
    pub fn turned(self) -> Self {
        Self {
            input: self.output,
            output: self.input,
            d_input: self.d_output,
            d_output: self.d_input,
            window: Window {
                padding: self.window.size - 1 - self.window.padding,
                ..self.window
            },
            ..self
        }
    }
}
