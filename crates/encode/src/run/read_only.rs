//! A store that may not be written, as on a read-only disk: no fault where it has all that the posts need.

use std::path::Path;

use mmfnd_features::{EncoderSpec, Input, Key, KeySet, Shard, Store};
use mmfnd_posts::PostSource;

use super::identity::explained;
use super::links::Links;
use super::whole_run::Run;
use crate::contents::Contents;
use crate::encoder::Encoders;
use crate::error::Error;
use crate::stage::{Choices, EncoderSummary, StageOptions, Summary, encode_pictures};

/// What a run would do, which has to be nothing: else an error says what is missing, and how the store `refused`.
pub(super) fn look(
    (path, refused): (&Path, mmfnd_features::Error),
    (posts, encoders, shard): (PostSource<'_>, &dyn Encoders, Option<Shard>),
    options: &StageOptions<'_>,
) -> Result<Summary, Error> {
    let lacks = |lacks: String| Error::ReadOnly {
        store: path.to_owned(),
        lacks,
        source: Box::new(refused),
    };
    let Ok(store) = Store::open(path) else {
        return Err(lacks("everything: there is no feature store yet".into()));
    };
    if store.shard() != shard {
        return Err(lacks("what this shard of the work needs".into()));
    }
    for (number, spec) in encoders.features() {
        if !store.encoders().iter().any(|one| one.name == spec.name) {
            return Err(lacks(format!("the encoder `{}`", spec.name)));
        }
        let same = store.require_same(spec);
        same.map_err(|error| explained(error, (encoders, number), path))?;
    }
    // Many texts need a file, which cannot lie in the store.
    let folder = std::env::temp_dir();
    let contents = Contents::read(posts, (&folder, shard), &options.workers)?;
    let run = Run {
        posts,
        encoders,
        contents: &contents,
        options,
    };
    let mut looked = Looked::new(&run, &store)?;
    match looked.missing()? {
        None => Ok(looked.summary()),
        Some(missing) => Err(lacks(missing)),
    }
}

/// A run's contents beside what a store has.
struct Looked<'a> {
    run: &'a Run<'a>,
    store: &'a Store,
    /// Of each encoder of the run.
    present: Vec<KeySet>,
    choices: Choices<'a>,
}

impl<'a> Looked<'a> {
    fn new(run: &'a Run<'a>, store: &'a Store) -> Result<Self, Error> {
        let specs = run.encoders.features();
        let present = specs.iter().map(|(_, spec)| store.keys(&spec.name));
        let present = present.collect::<Result<Vec<_>, _>>()?;
        let mut known = store.linked_pictures()?;
        for ((_, spec), present) in specs.iter().zip(&present) {
            if spec.input == Input::Image {
                known.extend(present.iter());
            }
        }
        let mut choices = Choices::new(run.contents, known);
        // Decodes the pictures that no run could use, to find out whether that is so still.
        encode_pictures(&mut choices, (run.encoders, &[]), &mut [], run.options)?;
        Ok(Self {
            run,
            store,
            present,
            choices,
        })
    }

    /// What the store lacks, if anything.
    fn missing(&mut self) -> Result<Option<String>, Error> {
        for ((_, spec), present) in self.run.encoders.features().iter().zip(&self.present) {
            let wanted = self.wanted(spec.input);
            let missing = wanted.iter().filter(|key| !present.contains(key)).count();
            let name = &spec.name;
            if missing > 0 {
                let all = wanted.len();
                return Ok(Some(format!(
                    "the features of `{name}` for {missing} of {all} contents"
                )));
            }
            if self.lacks_classifier(spec)? {
                return Ok(Some(format!("the classification layer of `{name}`")));
            }
        }
        let links = Links {
            posts: self.run.posts,
            contents: self.run.contents,
            choices: &self.choices,
        };
        let missing = links.missing(&self.store.linked()?)?;
        Ok((missing > 0).then(|| format!("the links of {missing} posts")))
    }

    /// The distinct contents that an encoder with this input sees.
    fn wanted(&self, input: Input) -> KeySet {
        let keys: Vec<Key> = match input {
            Input::Image => self.run.pictures(&self.choices).into_iter().collect(),
            Input::Text | Input::TextOcr => self.run.text_keys(input).collect(),
        };
        keys.into()
    }

    fn lacks_classifier(&self, spec: &EncoderSpec) -> Result<bool, Error> {
        let is_named = spec.classifier_sha256.is_some();
        Ok(is_named && self.store.classifier(&spec.name)?.is_none())
    }

    fn summary(&self) -> Summary {
        let mut summary = self.run.count(&self.choices);
        let specs = self.run.encoders.features().into_iter();
        summary.encoders = specs
            .map(|(_, spec)| EncoderSummary::new(spec, self.wanted(spec.input).len(), 0))
            .collect();
        summary
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::ErrorKind;
    use std::path::Path;

    use mmfnd_posts::Post;

    use super::*;
    use crate::Options;
    use crate::run::stage_options;
    use crate::tests::fakes::{Fakes, golden_picture, picture, post, run};

    fn look_at(store: &Path, posts: &[Post], fakes: &Fakes) -> Result<Summary, Error> {
        let refused = mmfnd_features::Error::File(mmfnd_posts::Error::Write {
            path: store.join("lock"),
            source: ErrorKind::ReadOnlyFilesystem.into(),
        });
        let options = stage_options(&Options::default(), &|_| {}).unwrap();
        look((store, refused), (posts.into(), fakes, None), &options)
    }

    #[test]
    fn what_a_store_that_may_not_be_written_lacks_is_said_and_nothing_is_where_nothing_is_missing()
    {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let corrupt = folder.path().join("corrupt.png");
        std::fs::write(&corrupt, &golden_picture("png_rgb")[..50]).unwrap();
        let good = picture(folder.path(), 1);
        let posts = [
            post("1", "a dog", &[&corrupt, &good]),
            post("2", "a cat", &[&corrupt]),
        ];
        let fakes = Fakes::new().with_classifier();
        let done = run(&posts, &fakes, &store).unwrap();
        let before = Store::open(&store).unwrap().fingerprint();

        let found = look_at(&store, &posts, &fakes).unwrap();
        assert_eq!((found.encoded(), found.linked), (0, 0));
        assert_eq!(found.rejects, done.rejects);
        let counts = |summary: &Summary| {
            let encoders = summary.encoders.iter();
            encoders.map(|one| one.contents).collect::<Vec<_>>()
        };
        assert_eq!(counts(&found), counts(&done));
        assert_eq!(Store::open(&store).unwrap().fingerprint(), before);

        let lacks = |posts: &[Post], fakes: &Fakes, expected: &str| {
            let error = look_at(&store, posts, fakes).unwrap_err();
            let said = error.to_string();
            assert!(said.contains(expected), "{said}");
        };
        let with = |one: Post| [posts[0].clone(), posts[1].clone(), one];
        let text = with(post("3", "a cow", &[]));
        lacks(&text, &fakes, "the features of `bert` for 1 of 3 contents");
        let other = picture(folder.path(), 2);
        let shown = with(post("3", "a cat", &[&other]));
        lacks(&shown, &fakes, "`clip_image` for 1 of 2 contents");
        let linked = with(post("3", "a cat", &[&good]));
        lacks(&linked, &fakes, "the links of 1 posts");
        lacks(&posts, &Fakes::of("1", &["more"]), "the encoder `more`");
        lacks(&posts, &Fakes::of("2", &["bert"]), "of another encoder");
        std::fs::remove_file(store.join("encoders/resnet/classifier.safetensors")).unwrap();
        let said = look_at(&store, &posts, &fakes).unwrap_err().to_string();
        assert!(
            said.contains("classifier.safetensors` is damaged"),
            "{said}"
        );
    }
}
