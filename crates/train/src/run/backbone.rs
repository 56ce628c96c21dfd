//! The ResNet that is trained with a head: from the weights that go with its maps, or back from those of a run.

use std::collections::HashSet;
use std::path::Path;

use burn::tensor::Device;
use mmfnd_features::Features;

use super::dir::RunDir;
use super::request::PictureModel;
use crate::Error;
use crate::config::{Config, MAPS};
use crate::data::Dataset;
use crate::error::{DataProblem, WeightsProblem};
use crate::heads::{Init, Layout, Norms, Reads, Resnet, ResnetConfig, TrainedLayers};
use crate::system_memory;
use crate::weights::{self, Weights, file};

/// Why a ResNet cannot be trained from pictures.
const NO_MODEL: &str = "`resnet.unfreeze` of `layer3` or `all` needs weights and preprocessing of a preset whose `resnet` has a `backbone`; name it with `--preset`";

/// Posts whose features are compared with the store's.
const COMPARED: usize = 4;
/// How far features are apart, relative to their size, that come from other weights; int8's are 0.15 apart at most.
const OTHER: f64 = 0.5;

/// A ResNet as its weights describe it, and how it is trained.
#[derive(Debug)]
pub(super) struct Backbone {
    config: ResnetConfig,
    trained: TrainedLayers,
    norms: Norms,
    weights: Weights,
}

impl Backbone {
    /// That of the features, where a configuration trains one.
    pub fn of(
        config: &Config,
        features: &Features,
        given: Option<&PictureModel>,
    ) -> Result<Option<Self>, Error> {
        let Some((resnet, trained)) = config.online() else {
            return Ok(None);
        };
        let path = match trained.reads() {
            Reads::Map => of_maps(features)?,
            Reads::Pixels => {
                let given = given.ok_or_else(|| DataProblem::Head(NO_MODEL.to_owned()))?;
                given.weights.as_path()
            }
        };
        let (mut weights, layout) = file::read(path)?;
        let problem = |problem| file::problem(path, problem);
        let layout = layout.map(|layout| serde_json::from_str::<Layout>(&layout));
        let layout = layout.transpose();
        let layout = layout.map_err(|error| problem(WeightsProblem::Layout(error.to_string())))?;
        let shape = |name: &str| weights.get(name).map(|weight| weight.shape.as_slice());
        let config = ResnetConfig::of_weights(shape, layout.as_ref());
        let config = config.map_err(|name| problem(WeightsProblem::Missing(name)))?;
        let map = features
            .column(MAPS)
            .filter(|_| trained.reads() == Reads::Map);
        let read = map.map_or(config.d_output(3), |map| map.shape[0]);
        if read != config.d_output(3) {
            return Err(problem(WeightsProblem::Shape {
                name: "layer4.0.conv1.weight".to_owned(),
                found: vec![config.widths[4], config.d_output(3)],
                expected: vec![config.widths[4], read],
            }));
        }
        weights.retain(|name, _| trained.has(name));
        let backbone = Self {
            config,
            trained,
            norms: resnet.batch_norm,
            weights,
        };
        let device = Device::flex();
        backbone.resnet(&device).map_err(problem)?; // a weight that does not fit, with the file's name
        Ok(Some(backbone))
    }

    /// With these weights on a device.
    pub fn resnet(&self, device: &Device) -> Result<Resnet, WeightsProblem> {
        let resnet = empty(&self.config, (self.trained, self.norms), device);
        weights::load(resnet, &self.weights)
    }

    /// Whether there is memory for a step, as far as that is known beforehand: weights with their gradients and
    /// moments, and what a batch of distinct pictures keeps until it is differentiated.
    pub fn check_memory(
        &self,
        dataset: &Dataset,
        posts: &[usize],
        batch_size: usize,
    ) -> Result<(), Error> {
        let Some(source) = dataset.source() else {
            return Ok(());
        };
        let numbers = posts.iter().filter_map(|&post| source.number_of(post));
        let distinct: HashSet<_> = numbers.collect();
        let pictures = distinct.len().min(batch_size);
        let [height, width, channels] = source.shape();
        let kept = self
            .config
            .kept_numbers(self.trained.first_layer(), [height, width]);
        let kept = kept + 2 * height * width * channels;
        let weights: usize = self
            .weights
            .values()
            .map(|weight| weight.values.len())
            .sum();
        let needed = 4 * (5 * weights + pictures * kept) as u64;
        match system_memory::available() {
            Some(there) if there < needed => Err(Error::Data(DataProblem::Head(format!(
                "a step on {pictures} distinct pictures needs about {:.1} GB, and {:.1} GB are free; set a smaller `train.batch_size`, and `train.accumulate` for as many posts a step",
                needed as f64 / 1e9,
                there as f64 / 1e9
            )))),
            _ => Ok(()),
        }
    }

    /// Says so where it makes quite other features of pictures than the store has: its weights are then not those of
    /// the model that encoded them. What is left of a difference is the precision's.
    pub fn doubt(&self, dataset: &Dataset, posts: &[usize]) -> Result<Option<String>, Error> {
        let device = Device::flex();
        let resnet = self
            .resnet(&device)
            .expect("it was made of these weights before");
        let few = &posts[..posts.len().min(COMPARED)];
        let distance = dataset.distance(&resnet, few)?;
        Ok((distance > OTHER).then(|| {
            format!(
                "ResNet's weights make other features of pictures than the store has ({:.0} % apart): are they those of the model that encoded the posts?",
                100.0 * distance
            )
        }))
    }

    /// Its sizes.
    pub fn config(&self) -> &ResnetConfig {
        &self.config
    }

    /// What a user should know.
    pub fn note(&self) -> String {
        let numbers: usize = self
            .weights
            .values()
            .map(|weight| weight.values.len())
            .sum();
        let what = match self.trained {
            TrainedLayers::Layer4 => "ResNet's fourth layer is",
            TrainedLayers::Layer3 => "ResNet's third and fourth layer are",
            TrainedLayers::All => "all of ResNet is",
        };
        format!("{what} trained with the head; the run holds {numbers} numbers of it")
    }
}

/// The weights that go with the maps.
fn of_maps(features: &Features) -> Result<&Path, DataProblem> {
    let index = features.specs.iter().position(|spec| spec.name == MAPS);
    let path = index.and_then(|index| features.classifiers[index].as_deref());
    path.ok_or(DataProblem::NoEncoder { name: MAPS })
}

fn empty(
    config: &ResnetConfig,
    (trained, norms): (TrainedLayers, Norms),
    device: &Device,
) -> Resnet {
    config.init(trained, norms, &mut Init::new(0, device))
}

/// A ResNet without its weights, as a run that trained one has it.
pub(super) fn of_run(
    run: &RunDir,
    config: &Config,
    device: &Device,
) -> Result<Option<Resnet>, Error> {
    let Some((resnet, trained)) = config.online() else {
        return Ok(None);
    };
    let sizes = run.info()?.backbone;
    let sizes = sizes.ok_or_else(|| {
        run.problem("is damaged: `run.json` does not say what its ResNet is like; train again with `--overwrite`")
    })?;
    let how = (trained, resnet.batch_norm);
    Ok(Some(empty(&sizes, how, device)))
}
