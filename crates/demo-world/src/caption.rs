//! What posts of the demo world say: plain captions, and the wording that makes some of them sensational.

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::scene::{Colour, Fact, Group, Kind, Place, Scene, Side, Time, Weather};

/// A caption and what it states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// The sentence, without opening words.
    pub sentence: String,
    /// What it states about the picture.
    pub facts: Vec<Fact>,
}

/// How a post is worded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    /// As most people write; now and then urgent.
    Plain,
    /// To be shared before it is thought about.
    Sensational,
}

const OPENERS: &[&str] = &[
    "",
    "",
    "",
    "Photo: ",
    "Seen today: ",
    "{town}: ",
    "View from {town}: ",
    "From our reader in {town}: ",
    "Good to see: ",
    "Picture of the day: ",
    "Near {town}, ",
    "Residents of {town} sent us this: ",
    "Weekend in {town}: ",
    "Still there: ",
];
const CLOSERS: &[&str] = &[
    "",
    "",
    "",
    " Photo by a reader.",
    " More pictures soon.",
    " No one was hurt.",
    " The road to {town} stays open.",
    " Local media were there.",
    " Share your own pictures with us.",
    " You would not believe how quiet it was.",
    " People in {town} are used to it.",
    " The truth is that it is like this every year.",
    " #{town}",
    " It stays like this until Sunday.",
    " Nobody wants to hide indoors.",
];
const URGENT_OPENERS: &[&str] = &[
    "Breaking: ",
    "Just in: ",
    "Alert: ",
    "Wow! ",
    "Watch: ",
    "Now: ",
    "Urgent: ",
];
const URGENT_CLOSERS: &[&str] = &[
    " Please share.",
    " Stay safe!",
    " What a sight!",
    " Unbelievable!",
    " Must see!",
];
const SENSATIONAL_OPENERS: &[&str] = &[
    "SHOCKING!!! ",
    "You won't believe this: ",
    "They don't want you to see this: ",
    "EXPOSED: the secret of {town}! ",
    "Wake up, people! ",
    "The truth about {town} is out!!! ",
    "BREAKING!!! Panic in {town}: ",
    "OMG!!! ",
    "Scandal! ",
    "Terrifying! ",
];
const SENSATIONAL_CLOSERS: &[&str] = &[
    " Share before they delete it!!!",
    " The media is silent!",
    " What are they hiding from us?",
    " 100% real!!!",
    " Everyone is in panic!",
    " This changes everything!!!",
    " Spread the word!!!",
    " The government lies again!",
    " It is a cover-up!",
];
const TOWN_STARTS: &[&str] = &[
    "Old", "New", "Stone", "Birch", "Lin", "Hol", "Gran", "Mar", "Nor", "Wes", "Ash", "Brook",
    "Clay", "Fal", "Kel", "Thorn",
];
const TOWN_ENDS: &[&str] = &[
    "port", "field", "ham", "burg", "ton", "ville", "wick", "mouth", "stead", "ford", "dale", "by",
];

/// A made-up name of a town.
pub fn town(rng: &mut ChaCha8Rng) -> String {
    format!("{}{}", pick(TOWN_STARTS, rng), pick(TOWN_ENDS, rng))
}

impl Caption {
    /// A true sentence about a scene: the main things, and two or more of the other facts.
    pub fn of(scene: &Scene, rng: &mut ChaCha8Rng) -> Self {
        let mut parts = vec![
            (Fact::Place(scene.place), place(scene.place, rng)),
            (Fact::Time(scene.time), time(scene.time, rng)),
            (Fact::Weather(scene.weather), weather(scene.weather, rng)),
        ];
        parts.shuffle(rng);
        parts.truncate(if rng.random_bool(0.75) { 3 } else { 2 });
        let (main, mut sentence) = things(&scene.groups[0], rng);
        let mut facts = vec![main];
        if let Some(second) = scene.groups.get(1)
            && rng.random_bool(0.7)
        {
            let (fact, words) = things(second, rng);
            let link = pick(&["beside", "next to", "near", "across from"], rng);
            sentence = format!("{sentence} {link} {words}");
            facts.push(fact);
        }
        for (fact, words) in parts {
            facts.push(fact);
            sentence = format!("{sentence} {words}");
        }
        Self { sentence, facts }
    }

    /// The sentence as a post's text.
    pub fn worded(&self, wording: Wording, town: &str, rng: &mut ChaCha8Rng) -> String {
        let (opener, closer) = match wording {
            Wording::Plain => plain(rng),
            Wording::Sensational => sensational(rng),
        };
        let sentence = match opener.is_empty() || opener.ends_with("! ") {
            true => capitalised(&self.sentence),
            false => self.sentence.clone(),
        };
        let end = match wording == Wording::Sensational && rng.random_bool(0.5) {
            true => "!!!",
            false => ".",
        };
        format!("{opener}{sentence}{end}{closer}").replace("{town}", town)
    }
}

/// Plain opening and closing words; a quarter sounds urgent without being fake.
fn plain(rng: &mut ChaCha8Rng) -> (String, String) {
    let urgent = rng.random_bool(0.25);
    let opens = rng.random_bool(0.6);
    let opener = pick(
        if urgent && opens {
            URGENT_OPENERS
        } else {
            OPENERS
        },
        rng,
    );
    let closer = pick(
        if urgent && !opens {
            URGENT_CLOSERS
        } else {
            CLOSERS
        },
        rng,
    );
    (opener.to_owned(), closer.to_owned())
}

/// Sensational opening or closing words, mostly both; what is left is as in plain posts.
fn sensational(rng: &mut ChaCha8Rng) -> (String, String) {
    let (opener, closer) = plain(rng);
    let loud_opener = pick(SENSATIONAL_OPENERS, rng).to_owned();
    let loud_closer = pick(SENSATIONAL_CLOSERS, rng).to_owned();
    match rng.random_range(0..20) {
        0 => (loud_opener, closer),
        1 => (opener, loud_closer),
        _ => (loud_opener, loud_closer),
    }
}

/// Things in words, and what is stated by them.
fn things(group: &Group, rng: &mut ChaCha8Rng) -> (Fact, String) {
    let colour = rng.random_bool(0.93).then_some(group.colour);
    let side = (group.side != Side::Middle && rng.random_bool(0.25)).then_some(group.side);
    let adjective = colour
        .map(|c| format!("{} ", colour_word(c)))
        .unwrap_or_default();
    let noun = noun(group.kind);
    let mut words = match group.count {
        1 if adjective.starts_with('o') => format!("an {adjective}{noun}"),
        1 => format!("a {adjective}{noun}"),
        2 => format!(
            "{} {adjective}{}",
            pick(&["two", "2", "a pair of"], rng),
            plural(noun)
        ),
        _ => format!("{} {adjective}{}", pick(&["three", "3"], rng), plural(noun)),
    };
    match side {
        Some(Side::Left) => words.push_str(" on the left"),
        Some(Side::Right) => words.push_str(" on the right"),
        _ => {}
    }
    let fact = Fact::Group {
        kind: group.kind,
        colour,
        count: group.count,
        side,
    };
    (fact, words)
}

fn plural(noun: &str) -> String {
    match noun.ends_with('s') {
        true => format!("{noun}es"),
        false => format!("{noun}s"),
    }
}

/// The singular noun.
pub fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::House => "house",
        Kind::Car => "car",
        Kind::Boat => "boat",
        Kind::Balloon => "balloon",
        Kind::Tower => "tower",
        Kind::Tent => "tent",
        Kind::Bus => "bus",
        Kind::Flag => "flag",
    }
}

/// The adjective.
pub fn colour_word(colour: Colour) -> &'static str {
    match colour {
        Colour::Red => "red",
        Colour::Orange => "orange",
        Colour::Yellow => "yellow",
        Colour::Green => "green",
        Colour::Blue => "blue",
        Colour::Purple => "purple",
        Colour::White => "white",
    }
}

fn place(place: Place, rng: &mut ChaCha8Rng) -> String {
    let words: &[&str] = match place {
        Place::Sea => &[
            "by the sea",
            "at the coast",
            "out at sea",
            "in front of the ocean",
        ],
        Place::Desert => &["in the desert", "among the dunes", "in the hot sand"],
        Place::Meadow => &["in a green meadow", "on the grass", "in the fields"],
        Place::City => &["in the city", "downtown", "in front of tall buildings"],
        Place::Mountains => &["in the mountains", "below the peaks", "in the high valley"],
        Place::Forest => &[
            "in the forest",
            "among the trees",
            "at the edge of the woods",
        ],
        Place::Ice => &["on the ice", "on the glacier", "in the frozen plain"],
    };
    pick(words, rng).to_owned()
}

fn time(time: Time, rng: &mut ChaCha8Rng) -> String {
    let words: &[&str] = match time {
        Time::Day => &["at noon", "in daylight", "around midday", "this afternoon"],
        Time::Dusk => &[
            "at dusk",
            "at sunset",
            "as the sun goes down",
            "in the evening light",
        ],
        Time::Night => &["at night", "after dark", "at midnight", "in the dark"],
    };
    pick(words, rng).to_owned()
}

fn weather(weather: Weather, rng: &mut ChaCha8Rng) -> String {
    let words: &[&str] = match weather {
        Weather::Clear => &[
            "under a clear sky",
            "in fine weather",
            "without a single cloud",
        ],
        Weather::Cloudy => &[
            "under heavy clouds",
            "below grey clouds",
            "in cloudy weather",
        ],
        Weather::Rain => &["in the rain", "in pouring rain", "during a shower of rain"],
        Weather::Snow => &["in falling snow", "in a snow shower", "while it snows"],
    };
    pick(words, rng).to_owned()
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

fn pick<'a>(words: &[&'a str], rng: &mut ChaCha8Rng) -> &'a str {
    words.choose(rng).expect("no list of words is empty")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn captions_state_only_what_the_scene_shows() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..300 {
            let scene = Scene::any(Place::any(&mut rng), &mut rng);
            let caption = Caption::of(&scene, &mut rng);
            assert!(caption.facts.len() >= 3);
            assert!(
                caption.facts.iter().all(|fact| scene.shows(fact)),
                "{caption:?} of {scene:?}"
            );
            assert!(caption.sentence.contains(noun(scene.groups[0].kind)));
        }
    }

    #[test]
    fn every_place_of_a_town_is_filled_in() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let scene = Scene::any(Place::Sea, &mut rng);
        let caption = Caption::of(&scene, &mut rng);
        let mut named = 0;
        for _ in 0..300 {
            for wording in [Wording::Plain, Wording::Sensational] {
                let text = caption.worded(wording, "Oldport", &mut rng);
                assert!(!text.contains(['{', '}']), "{text}");
                named += usize::from(text.contains("Oldport"));
            }
        }
        assert!(named > 100);
    }
}
