//! What a picture of the demo world shows, as facts that a caption can state and a picture can contradict.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// A closed list of things, of which one is drawn at random.
macro_rules! facts {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $(#[allow(missing_docs)] $variant),* }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Any of them, each as likely as the others.
            pub fn any(rng: &mut ChaCha8Rng) -> Self {
                Self::ALL[rng.random_range(0..Self::ALL.len())]
            }
        }
    };
}

facts!(
    /// The landscape.
    Place { Sea, Desert, Meadow, City, Mountains, Forest, Ice }
);
facts!(
    /// The time of day.
    Time { Day, Dusk, Night }
);
facts!(
    /// The weather.
    Weather { Clear, Cloudy, Rain, Snow }
);
facts!(
    /// What stands in the landscape.
    Kind { House, Car, Boat, Balloon, Tower, Tent, Bus, Flag }
);
facts!(
    /// The colour of a thing.
    Colour { Red, Orange, Yellow, Green, Blue, Purple, White }
);
facts!(
    /// Where in the picture a group of things is.
    Side { Left, Middle, Right }
);

/// Things of one kind and colour that stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What they are.
    pub kind: Kind,
    /// Their colour.
    pub colour: Colour,
    /// How many, 1 to 3.
    pub count: u8,
    /// Where they are.
    pub side: Side,
}

/// All facts of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scene {
    /// The landscape.
    pub place: Place,
    /// The time of day.
    pub time: Time,
    /// The weather.
    pub weather: Weather,
    /// The main group, then perhaps another one on the other side.
    pub groups: Vec<Group>,
}

/// One thing that a caption states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The landscape.
    Place(Place),
    /// The time of day.
    Time(Time),
    /// The weather.
    Weather(Weather),
    /// Things of a kind, with what else is said of them.
    Group {
        /// What they are.
        kind: Kind,
        /// Their colour, where it is said.
        colour: Option<Colour>,
        /// How many.
        count: u8,
        /// Where they are, where it is said.
        side: Option<Side>,
    },
}

impl Scene {
    /// Any scene in a given landscape.
    pub fn any(place: Place, rng: &mut ChaCha8Rng) -> Self {
        let mut groups = Vec::with_capacity(2);
        if rng.random_bool(0.45) {
            let left_first = rng.random_bool(0.5);
            let (first, second) = match left_first {
                true => (Side::Left, Side::Right),
                false => (Side::Right, Side::Left),
            };
            groups.push(Group::any(first, 2, rng));
            let mut other = Group::any(second, 1, rng);
            while other.kind == groups[0].kind {
                other.kind = Kind::any(rng);
            }
            groups.push(other);
        } else {
            let side = Side::any(rng);
            groups.push(Group::any(side, 3, rng));
        }
        Self {
            place,
            time: Time::any(rng),
            weather: Weather::any(rng),
            groups,
        }
    }

    /// Whether the picture shows what is stated.
    pub fn shows(&self, fact: &Fact) -> bool {
        match *fact {
            Fact::Place(place) => self.place == place,
            Fact::Time(time) => self.time == time,
            Fact::Weather(weather) => self.weather == weather,
            Fact::Group {
                kind,
                colour,
                count,
                side,
            } => self.groups.iter().any(|group| {
                group.kind == kind
                    && group.count == count
                    && colour.is_none_or(|colour| group.colour == colour)
                    && side.is_none_or(|side| group.side == side)
            }),
        }
    }
}

impl Group {
    fn any(side: Side, most: u8, rng: &mut ChaCha8Rng) -> Self {
        let count = match rng.random_range(0..10) {
            0..=4 => 1,
            5..=7 => 2,
            _ => 3,
        };
        Self {
            kind: Kind::any(rng),
            colour: Colour::any(rng),
            count: count.min(most),
            side,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_scene_shows_its_own_facts_and_no_other_landscape() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..200 {
            let place = Place::any(&mut rng);
            let scene = Scene::any(place, &mut rng);
            assert!(scene.shows(&Fact::Time(scene.time)));
            let shown = Place::ALL.iter().filter(|p| scene.shows(&Fact::Place(**p)));
            assert_eq!(shown.collect::<Vec<_>>(), [&place]);
            let group = scene.groups[0];
            let stated = |count, colour| Fact::Group {
                kind: group.kind,
                colour,
                count,
                side: Some(group.side),
            };
            assert!(scene.shows(&stated(group.count, None)));
            assert!(!scene.shows(&stated(group.count + 1, None)));
            let others = Colour::ALL.iter().filter(|c| **c != group.colour);
            for colour in others {
                assert!(!scene.shows(&stated(group.count, Some(*colour))));
            }
        }
    }

    #[test]
    fn two_groups_differ_in_kind_and_side() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..200 {
            let scene = Scene::any(Place::Sea, &mut rng);
            if let [first, second] = scene.groups[..] {
                assert_ne!(first.kind, second.kind);
                assert_ne!(first.side, second.side);
            }
        }
    }
}
