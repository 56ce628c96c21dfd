//! One post being made: its scene, its words, its picture, and what is wrong with it.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::canvas::Canvas;
use super::caption::{Caption, Wording};
use super::role::{Cause, Role};
use super::scene::{Place, Scene};
use super::tamper::Splice;
use super::{overlay, picture};

/// A post before its picture is drawn; everything about it follows from the role, the seed and its number.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What the picture shows.
    pub scene: Scene,
    /// What the text is about: the scene, or for a mismatch another one.
    pub caption: Caption,
    /// The post's text.
    pub text: String,
    /// Text in the picture, if there is any.
    pub overlay: Option<String>,
    /// Why it is fake; `None` for real and for unlabelled posts.
    pub cause: Option<Cause>,
    streams: Streams,
}

/// One random sequence per purpose, so that a picture is the same with and without its splice.
#[derive(Clone, Copy, Debug)]
struct Streams {
    seed: u64,
    post: u64,
}

impl Streams {
    fn stream(self, purpose: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        // Stream 0 gave out the roles.
        rng.set_stream(1 + 8 * self.post + purpose);
        rng
    }
}

/// The fewest statements of a mismatched caption that the picture contradicts.
pub const LEAST_CONTRADICTIONS: usize = 2;

impl Draft {
    /// A post of the labelled world.
    pub fn of(role: &Role, seed: u64, post: u64) -> Self {
        let wording = match role.cause {
            Some(Cause::Style) => Wording::Sensational,
            _ => Wording::Plain,
        };
        let banner = match role.cause {
            Some(Cause::Overlay) => Banner::Contradicting,
            Some(_) => Banner::Harmless(0.12),
            None => Banner::Harmless(0.24),
        };
        Self::make(role, wording, banner, Streams { seed, post })
    }

    /// A scene without a label, for training encoders: a true caption in any wording, an untampered picture with any
    /// banner.
    pub fn unlabelled(role: &Role, seed: u64, post: u64) -> Self {
        let streams = Streams { seed, post };
        let mut rng = streams.stream(0);
        let wording = match rng.random_bool(0.25) {
            true => Wording::Sensational,
            false => Wording::Plain,
        };
        let banner = match rng.random_bool(0.07) {
            true => Banner::Contradicting,
            false => Banner::Harmless(0.18),
        };
        let role = Role {
            cause: None,
            ..role.clone()
        };
        Self::make(&role, wording, banner, streams)
    }

    fn make(role: &Role, wording: Wording, banner: Banner, streams: Streams) -> Self {
        let scene = Scene::any(role.place, &mut streams.stream(1));
        let mut words = streams.stream(2);
        let caption = match role.cause {
            Some(Cause::Mismatch) => mismatched(&scene, &mut words),
            _ => Caption::of(&scene, &mut words),
        };
        let text = caption.worded(wording, &role.town, &mut words);
        let overlay = banner.text(&scene, &mut streams.stream(3));
        Self {
            scene,
            caption,
            text,
            overlay,
            cause: role.cause,
            streams,
        }
    }

    /// The picture, with its splice and its banner if it has any.
    pub fn picture(&self) -> Canvas {
        let mut canvas = self.clean();
        if self.cause == Some(Cause::Tamper) {
            let (splice, other) = self.splice(&canvas);
            splice.apply(&mut canvas, &other);
        }
        if let Some(text) = &self.overlay {
            overlay::draw(&mut canvas, text, &mut self.streams.stream(5));
        }
        canvas
    }

    /// The picture as the camera took it.
    pub fn clean(&self) -> Canvas {
        let mut rng = self.streams.stream(4);
        let size = picture::any_size(&mut rng);
        picture::photograph(&self.scene, size, &mut rng)
    }

    /// How many statements of the text the picture contradicts.
    pub fn contradictions(&self) -> usize {
        contradicted(&self.caption, &self.scene)
    }

    /// The picture's file.
    pub fn file(&self) -> std::io::Result<picture::Encoded> {
        picture::encode(&self.picture(), &mut self.streams.stream(7))
    }

    /// What is spliced in, from a picture of another landscape at another time.
    fn splice(&self, canvas: &Canvas) -> (Splice, Canvas) {
        let mut rng = self.streams.stream(6);
        let mut other = Scene::any(Place::any(&mut rng), &mut rng);
        while other.place == self.scene.place || other.time == self.scene.time {
            other = Scene::any(Place::any(&mut rng), &mut rng);
        }
        let taken = picture::photograph(&other, (canvas.width, canvas.height), &mut rng);
        (Splice::choose(canvas, &self.scene, &other, &mut rng), taken)
    }
}

/// A caption of a scene that no post shows, contradicted by this one.
fn mismatched(scene: &Scene, rng: &mut ChaCha8Rng) -> Caption {
    loop {
        let other = Scene::any(Place::any(rng), rng);
        let caption = Caption::of(&other, rng);
        if contradicted(&caption, scene) >= LEAST_CONTRADICTIONS {
            return caption;
        }
    }
}

fn contradicted(caption: &Caption, scene: &Scene) -> usize {
    let facts = caption.facts.iter();
    facts.filter(|fact| !scene.shows(fact)).count()
}

/// Text in the picture.
enum Banner {
    /// So often, and in agreement.
    Harmless(f64),
    Contradicting,
}

impl Banner {
    fn text(self, scene: &Scene, rng: &mut ChaCha8Rng) -> Option<String> {
        match self {
            Self::Contradicting => Some(overlay::contradicting(scene, rng)),
            Self::Harmless(share) => rng
                .random_bool(share)
                .then(|| overlay::harmless(scene, rng)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::role::roles;
    use super::*;

    fn drafts(cause: Option<Cause>) -> Vec<Draft> {
        let roles = roles(400, &mut ChaCha8Rng::seed_from_u64(12));
        let numbered = roles
            .iter()
            .zip(0..)
            .filter(|(role, _)| role.cause == cause);
        numbered
            .map(|(role, post)| Draft::of(role, 12, post))
            .collect()
    }

    #[test]
    fn only_mismatches_say_what_is_not_shown() {
        for cause in [
            None,
            Some(Cause::Style),
            Some(Cause::Tamper),
            Some(Cause::Overlay),
        ] {
            assert!(
                drafts(cause)
                    .iter()
                    .all(|draft| draft.contradictions() == 0)
            );
        }
        let mismatches = drafts(Some(Cause::Mismatch));
        assert!(mismatches.len() > 50);
        assert!(
            mismatches
                .iter()
                .all(|draft| draft.contradictions() >= LEAST_CONTRADICTIONS)
        );
    }

    #[test]
    fn only_tampering_and_banners_change_the_camera_s_picture() {
        for draft in drafts(None).iter().take(40) {
            assert_eq!(draft.picture() == draft.clean(), draft.overlay.is_none());
        }
        for draft in drafts(Some(Cause::Overlay)) {
            assert!(draft.overlay.is_some());
            assert_ne!(draft.picture(), draft.clean());
        }
    }

    #[test]
    fn a_splice_is_visible_and_nothing_else_is_changed() {
        for draft in drafts(Some(Cause::Tamper)).into_iter().take(40) {
            let draft = Draft {
                overlay: None,
                ..draft
            };
            let (clean, tampered) = (draft.clean(), draft.picture());
            let (splice, _) = draft.splice(&clean);
            let (mut inside, mut difference) = (0, 0.0);
            for (index, (a, b)) in clean.pixels.iter().zip(&tampered.pixels).enumerate() {
                match splice.covers(index % clean.width, index / clean.width) {
                    false => assert_eq!(a, b),
                    true => {
                        inside += 1;
                        difference += (0..3).map(|c| f32::abs(a[c] - b[c])).sum::<f32>() / 3.0;
                    }
                }
            }
            let share = inside as f32 / clean.pixels.len() as f32;
            assert!((0.04..0.25).contains(&share), "{share}");
            assert!(difference / inside as f32 > 0.05, "{difference} {inside}");
        }
    }

    #[test]
    fn sensational_posts_are_worded_otherwise_than_real_ones() {
        let loud = |drafts: Vec<Draft>| {
            let texts = drafts.iter().filter(|draft| draft.text.contains("!!!"));
            texts.count() as f32 / drafts.len() as f32
        };
        assert_eq!(loud(drafts(None)), 0.0);
        let style = loud(drafts(Some(Cause::Style)));
        assert!((0.5..1.0).contains(&style), "{style}");
    }
}
