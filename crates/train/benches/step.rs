//! Times of one training step at full size: 13 × 768, 2048, 512 + 512 in, 3 experts, batch 64. `RAYON_NUM_THREADS` sets the threads.

use std::time::Instant;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Distribution, Tensor};
use mmfnd_train::AdamW;
use mmfnd_train::heads::{Head, Init, Inputs, MmfndConfig, Noise, Sizes, backward};

#[global_allocator] // as in the program
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 64;
const STEPS: usize = 40;

fn main() {
    let device = Device::flex().autodiff();
    let sizes = Sizes {
        layers: 13,
        bert: 768,
        resnet: 2048,
        resnet_classes: 1000,
        clip: 512,
    };
    let mut head = MmfndConfig::default().init(&sizes, &mut Init::new(1, &device));
    let mut optimizer = AdamW::new(1e-4, 0.01, true);
    let random = |width| Tensor::<2>::random([BATCH, width], Distribution::Default, &device);
    let inputs = Inputs {
        bert: Some(random(13 * 768).reshape([BATCH, 13, 768])),
        resnet: Some(random(2048)),
        clip_text: Some(random(512)),
        clip_image: Some(random(512)),
        present: None,
    };
    let labels =
        Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 1.0]], &device).repeat_dim(0, BATCH / 2);
    let mut times = [const { Vec::new() }; 4];
    for step in 0..STEPS {
        let start = Instant::now();
        let output = head.forward(inputs.clone(), Some(Noise::new(1, step as u64)));
        let loss = (log_softmax(output.logits, 1) * labels.clone()).sum() * (-1.0 / BATCH as f64);
        let forward = start.elapsed();
        let mut gradients = backward(&loss, output.cuts);
        let backward = start.elapsed();
        head = optimizer.step(head, &mut gradients);
        let all = start.elapsed();
        for (times, time) in
            times
                .iter_mut()
                .zip([forward, backward - forward, all - backward, all])
        {
            times.push(time.as_secs_f64() * 1e3);
        }
    }
    for (name, times) in ["forward", "backward", "update", "step"]
        .iter()
        .zip(&mut times)
    {
        times.sort_by(f64::total_cmp);
        println!(
            "{name:<9} median {:>6.1} ms, least {:>6.1} ms",
            times[STEPS / 2],
            times[0]
        );
    }
}
