//! The columns that a head reads, and what else a run takes from posts and features.

use std::collections::HashMap;
use std::sync::Arc;

use mmfnd_features::{Column, Features, Key};
use mmfnd_posts::Post;

use super::card_features::CardFeatures;
use super::class_layer::ClassLayer;
use super::columns::{self, COLUMNS, Each, RESNET, TOKENS, VGG};
use super::maps::{self, Source};
use super::pixels::Pixels;
use crate::Error;
use crate::config::{Config, MAPS, Missing};
use crate::device::Device;
use crate::error::DataProblem;
use crate::heads::{Modalities, Resnet, Sizes};

/// What maps have to be.
const MAP_SHAPE: &str = "[channels, height, width]: the map of ResNet's third layer";
/// Classes of ResNet's layer where the store has none.
const IMAGENET_CLASSES: usize = 1000;

/// The columns that a head reads, and which posts have what.
#[derive(Clone, Debug)]
pub struct Dataset<'a> {
    posts: &'a [Post],
    /// In the order of [`COLUMNS`].
    columns: Each<Option<&'a Column>>,
    tokens: Option<&'a Column>,
    /// What a ResNet that is trained with the head reads, in the place of ResNet's features.
    source: Option<Source<'a>>,
    on_card: CardFeatures,
    modalities: Vec<Modalities>,
    /// The layer that makes an encoder's logits, of a head that reads those.
    layer: Option<ClassLayer>,
    /// Why a post cannot be used.
    problems: Vec<Option<&'static str>>,
}

impl<'a> Dataset<'a> {
    /// Finds the columns that the head of a configuration reads, and checks their shapes.
    pub fn new(features: &'a Features, posts: &'a [Post], config: &Config) -> Result<Self, Error> {
        let encoders = config.head.encoders();
        let columns = columns::read(features, &encoders)?;
        let tokens = match encoders.contains(&TOKENS) {
            true => Some(columns::tokens(features)?),
            false => None,
        };
        let source = match config.encoders().contains(&MAPS) {
            true => Some(Source::Maps(columns::column(
                features,
                MAPS,
                (3, MAP_SHAPE),
            )?)),
            false => None,
        };
        if let [_, Some(text), Some(image), ..] = columns
            && text.shape != image.shape
        {
            return Err(Error::Data(DataProblem::Shape {
                name: "clip_image",
                shape: image.shape.clone(),
                expected: "the width of `clip_text`: the two have to come from one model",
            }));
        }
        let modalities = posts.iter().zip(&features.image_key);
        let modalities = modalities.map(|(post, key)| Modalities {
            text: config.train.missing == Missing::Drop || !post.text.trim().is_empty(),
            image: key.is_some(),
        });
        let modalities: Vec<_> = modalities.collect();
        let problems = modalities
            .iter()
            .map(|&modalities| problem(config, modalities))
            .collect();
        Ok(Self {
            posts,
            columns,
            tokens,
            source,
            on_card: CardFeatures::default(),
            modalities,
            layer: layer(features, config)?,
            problems,
        })
    }

    /// The same features, some of which lie on a card, too: batches are taken from there.
    pub(crate) fn with_card(self, on_card: CardFeatures) -> Self {
        Self { on_card, ..self }
    }

    /// The same features, of ResNet those that a trained one gave: posts are scored with them.
    pub(crate) fn with_resnet<'b>(&self, pooled: &'b Column) -> Dataset<'b>
    where
        'a: 'b,
    {
        let mut dataset: Dataset<'b> = self.clone();
        dataset.columns[RESNET] = Some(pooled);
        dataset.source = None;
        dataset.on_card = dataset.on_card.without(RESNET);
        dataset
    }

    /// What a ResNet makes of these posts' pictures: each distinct one once. On a device without autodiff.
    pub(crate) fn pooled(
        &self,
        backbone: &Resnet,
        posts: &[usize],
        device: &burn::tensor::Device,
    ) -> Result<Column, Error> {
        let source = self.source.as_ref();
        let source = source.expect("a trained ResNet has something to read");
        let with_picture = posts.iter().copied();
        let with_picture = with_picture.filter(|&post| self.modalities(post).image);
        let posts: Vec<_> = with_picture.collect();
        let pooled = maps::pooled((source, &posts), self.posts.len(), backbone, device);
        pooled.map_err(|(row, unread)| unread.of_post(row, self.id(row)))
    }

    /// How far the features that a ResNet makes of these posts' pictures are from those that are stored, relative to
    /// them.
    pub(crate) fn distance(&self, backbone: &Resnet, posts: &[usize]) -> Result<f64, Error> {
        let device = burn::tensor::Device::flex();
        let made = self.pooled(backbone, posts, &device)?;
        let stored = self.columns[RESNET].expect("heads that read no ResNet train none");
        let (mut apart, mut size) = (0.0, 0.0);
        let (mut ours, mut theirs) = (vec![0.0; made.width()], vec![0.0; stored.width()]);
        for &post in posts.iter().filter(|&&post| self.modalities(post).image) {
            made.copy_row(post, &mut ours);
            let read = stored.read_row(post, &mut theirs);
            read.map_err(|error| error.of_post(post, self.id(post)))?;
            for (&our, &their) in ours.iter().zip(&theirs) {
                apart += f64::from(our - their).powi(2);
                size += f64::from(their).powi(2);
            }
        }
        Ok((apart / size.max(f64::MIN_POSITIVE)).sqrt())
    }

    /// What a ResNet that is trained with the head reads.
    pub(crate) fn source(&self) -> Option<&Source<'a>> {
        self.source.as_ref()
    }

    /// The same features, with the pictures that a ResNet is trained from.
    pub(crate) fn with_pictures(self, pixels: Pixels) -> Self {
        Self {
            source: Some(Source::Pictures(Arc::new(pixels))),
            ..self
        }
    }

    /// What lies on a card.
    pub(crate) fn on_card(&self) -> &CardFeatures {
        &self.on_card
    }

    /// Where the features of a training on a card lie.
    pub(crate) fn card_note(&self, device: Device) -> Option<String> {
        let is_read = |index: &usize| self.columns[*index].is_some();
        let (there, elsewhere): (Vec<_>, Vec<_>) = (0..COLUMNS.len())
            .filter(is_read)
            .partition(|&index| self.on_card.has(index));
        let names = |of: Vec<usize>| {
            of.into_iter()
                .map(|index| COLUMNS[index].name)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let megabytes = self.on_card.bytes().div_ceil(1_000_000);
        match (there.is_empty(), elsewhere.is_empty()) {
            _ if device.is_host() => None,
            (_, true) => Some(format!("all features lie on the card ({megabytes} MB)")),
            (true, _) => {
                Some("no features lie on the card: each step is handed its own".to_owned())
            }
            (false, false) => Some(format!(
                "the features of {} lie on the card ({megabytes} MB), each step is handed those of {}",
                names(there),
                names(elsewhere)
            )),
        }
    }

    /// Sizes of the features, 0 of those that are not read, with the classes of ResNet's layer.
    pub fn sizes(&self, resnet_classes: Option<usize>) -> Sizes {
        let [bert, clip_text, clip_image, resnet, vgg, ela] = self.columns;
        let width = |column: Option<&Column>| column.map_or(0, Column::width);
        let classes = |encoder: &str| {
            let layer = self.layer.as_ref();
            layer
                .filter(|layer| layer.encoder == encoder)
                .map(|layer| layer.classes)
        };
        let resnet_classes = resnet_classes.or(classes(COLUMNS[RESNET].name));
        Sizes {
            layers: bert.map_or(0, |bert| bert.shape[0]),
            bert: bert.map_or(0, |bert| bert.shape[1]),
            resnet: width(resnet),
            resnet_classes: resnet.map_or(0, |_| resnet_classes.unwrap_or(IMAGENET_CLASSES)),
            clip: width(clip_text.or(clip_image)),
            vgg: width(vgg),
            vgg_classes: classes(VGG).unwrap_or(0),
            ela: width(ela),
            tokens: self.tokens.map_or(0, |tokens| tokens.shape[1]),
            ..Sizes::default()
        }
    }

    /// The layer that makes an encoder's logits, of a head that reads those.
    pub(crate) fn layer(&self) -> Option<&ClassLayer> {
        self.layer.as_ref()
    }

    /// Why a post cannot be used, if so.
    pub fn problem(&self, row: usize) -> Option<&'static str> {
        self.problems[row]
    }

    /// A post's id.
    pub(crate) fn id(&self, row: usize) -> &str {
        &self.posts[row].id
    }

    /// What a post has.
    pub fn modalities(&self, row: usize) -> Modalities {
        self.modalities[row]
    }

    /// The columns, in the order of [`COLUMNS`]; none of those that are not read.
    pub(crate) fn columns(&self) -> Each<Option<&'a Column>> {
        self.columns
    }

    /// The column of [`TOKENS`], where it is read.
    pub(crate) fn tokens(&self) -> Option<&'a Column> {
        self.tokens
    }
}

/// Why a post that has only this cannot be used, if so. With `drop` that does not depend on the head, so that heads are
/// compared on the same posts.
fn problem(config: &Config, modalities: Modalities) -> Option<&'static str> {
    if config.train.missing == Missing::Drop {
        return (!modalities.image).then_some("no usable picture");
    }
    match (
        config.head.can_score(modalities),
        modalities.text,
        modalities.image,
    ) {
        (true, ..) => None,
        (false, false, false) => Some("neither text nor usable picture"),
        (false, false, _) => Some("no text"),
        (false, true, _) => Some("no usable picture"),
    }
}

/// An encoder's own layer, for a head that reads what it makes of the features.
fn layer(features: &Features, config: &Config) -> Result<Option<ClassLayer>, Error> {
    let Some(encoder) = config.head.reads_logits_of() else {
        return Ok(None);
    };
    let layer = ClassLayer::of(features, encoder)?;
    let head = config.head.kind().name;
    let layer = layer.ok_or(DataProblem::NoLayer { head, encoder })?;
    Ok(Some(layer))
}

/// Labels of posts that are trained on, 1 for fake.
pub(crate) fn labels(posts: &[Post], rows: &[usize]) -> Vec<usize> {
    let label = |&row: &usize| {
        posts[row]
            .label
            .expect("only labelled posts are trained on")
    };
    rows.iter().map(label).map(|label| label.index()).collect()
}

/// Numbers what posts share: the picture of each post; without one its text, since the same words again are no other
/// post; without either the post is alone. Or why the post cannot be used.
pub(crate) fn pictures(features: &Features, dataset: &Dataset) -> Vec<Result<usize, &'static str>> {
    let mut numbers = HashMap::new();
    let shared = features.image_key.iter().zip(dataset.posts).enumerate();
    shared
        .map(|(row, (picture, post))| match dataset.problem(row) {
            Some(problem) => Err(problem),
            None => {
                let next = numbers.len();
                Ok(*numbers
                    .entry(Shared::of(row, picture.as_ref(), post))
                    .or_insert(next))
            }
        })
        .collect()
}

/// What makes posts one group: they are neither split nor drawn apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Shared<'a> {
    Picture(Key),
    Text(&'a str),
    Nothing(usize),
}

impl<'a> Shared<'a> {
    /// Of the post in this row.
    pub fn of(row: usize, picture: Option<&Key>, post: &'a Post) -> Self {
        match (picture, post.text.trim()) {
            (Some(picture), _) => Self::Picture(*picture),
            (None, "") => Self::Nothing(row),
            (None, text) => Self::Text(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mmfnd_posts::Split;

    #[test]
    fn the_same_words_without_a_picture_are_no_other_post() {
        let post = |text: &str| Post {
            id: String::new(),
            text: text.into(),
            images: Vec::new(),
            label: None,
            split: Split::Train,
            event: None,
            ocr_text: None,
            cause: None,
        };
        let (first, again, other) = (post("a retweet"), post("a retweet "), post("a tweet"));
        let of = |row, post| Shared::of(row, None, post);
        assert_eq!(of(0, &first), of(1, &again));
        assert_ne!(of(0, &first), of(1, &other));
        let (empty, key) = (post(" "), Key::of(b"a picture"));
        assert_ne!(of(0, &empty), of(1, &empty));
        assert_eq!(
            Shared::of(0, Some(&key), &first),
            Shared::of(1, Some(&key), &other)
        );
    }
}
