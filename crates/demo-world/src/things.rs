//! The things of a scene: houses, cars, boats and so on, as a few shapes each.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::canvas::{Canvas, Rgb, mix, times};
use super::scene::{Colour, Group, Kind, Side};

/// Where a thing stands: the middle of its foot and its width, in pixels.
#[derive(Clone, Copy)]
struct Spot {
    x: f32,
    foot: f32,
    size: f32,
}

/// The paint of a thing and the light that falls on it.
#[derive(Clone, Copy)]
struct Paint {
    main: Rgb,
    light: Rgb,
}

/// The share of the width at which a side's things stand.
pub fn centre(side: Side) -> f32 {
    match side {
        Side::Left => 0.25,
        Side::Middle => 0.5,
        Side::Right => 0.75,
    }
}

/// Draws a group between its neighbours.
pub fn draw(canvas: &mut Canvas, group: &Group, horizon: f32, light: Rgb, rng: &mut ChaCha8Rng) {
    let (width, height) = (canvas.width as f32, canvas.height as f32);
    let share = match group.count {
        1 => 0.27,
        2 => 0.19,
        _ => 0.145,
    };
    let size = share * width * rng.random_range(0.9..1.12);
    let middle = width * (centre(group.side) + rng.random_range(-0.04..0.04));
    let main = times(paint(group.colour), light);
    for index in 0..group.count {
        let place = f32::from(index) - f32::from(group.count - 1) / 2.0;
        let foot = match group.kind {
            Kind::Balloon => horizon * rng.random_range(0.85..1.1),
            _ => horizon + (height - horizon) * rng.random_range(0.35..0.8),
        };
        let spot = Spot {
            x: middle + place * size * 1.12,
            foot,
            size: size * rng.random_range(0.9..1.05),
        };
        thing(canvas, group.kind, spot, Paint { main, light });
    }
}

fn paint(colour: Colour) -> Rgb {
    match colour {
        Colour::Red => [0.86, 0.1, 0.1],
        Colour::Orange => [0.98, 0.52, 0.06],
        Colour::Yellow => [0.98, 0.88, 0.1],
        Colour::Green => [0.05, 0.6, 0.28],
        Colour::Blue => [0.1, 0.22, 0.85],
        Colour::Purple => [0.55, 0.12, 0.66],
        Colour::White => [0.96, 0.96, 0.96],
    }
}

fn thing(canvas: &mut Canvas, kind: Kind, spot: Spot, paint: Paint) {
    match kind {
        Kind::House => house(canvas, spot, paint),
        Kind::Car => car(canvas, spot, paint),
        Kind::Boat => boat(canvas, spot, paint),
        Kind::Balloon => balloon(canvas, spot, paint),
        Kind::Tower => tower(canvas, spot, paint),
        Kind::Tent => tent(canvas, spot, paint),
        Kind::Bus => bus(canvas, spot, paint),
        Kind::Flag => flag(canvas, spot, paint),
    }
}

impl Spot {
    /// A point by shares of the size, upwards from the foot.
    fn at(self, across: f32, up: f32) -> (f32, f32) {
        (self.x + across * self.size, self.foot - up * self.size)
    }
}

impl Paint {
    fn dark(self) -> Rgb {
        times([0.15, 0.13, 0.12], self.light)
    }

    fn glass(self) -> Rgb {
        times([0.7, 0.85, 0.95], self.light)
    }
}

fn house(canvas: &mut Canvas, spot: Spot, paint: Paint) {
    canvas.rectangle(spot.at(-0.45, 0.62), spot.at(0.45, 0.0), paint.main);
    let roof = times([0.4, 0.2, 0.12], paint.light);
    canvas.polygon(
        &[spot.at(0.0, 1.05), spot.at(0.55, 0.6), spot.at(-0.55, 0.6)],
        roof,
    );
    canvas.rectangle(spot.at(-0.1, 0.35), spot.at(0.1, 0.0), paint.dark());
    for side in [-0.28, 0.28] {
        canvas.rectangle(
            spot.at(side - 0.09, 0.5),
            spot.at(side + 0.09, 0.3),
            [0.95, 0.85, 0.5],
        );
    }
}

fn wheels(canvas: &mut Canvas, spot: Spot, across: f32, radius: f32, paint: Paint) {
    for side in [-across, across] {
        let radius = radius * spot.size;
        canvas.ellipse(spot.at(side, 0.08), (radius, radius), (paint.dark(), 1.0));
    }
}

fn car(canvas: &mut Canvas, spot: Spot, paint: Paint) {
    let roof = [
        spot.at(-0.22, 0.56),
        spot.at(0.2, 0.56),
        spot.at(0.36, 0.32),
        spot.at(-0.34, 0.32),
    ];
    canvas.polygon(&roof, paint.main);
    let window = [
        spot.at(-0.18, 0.51),
        spot.at(0.16, 0.51),
        spot.at(0.26, 0.34),
        spot.at(-0.26, 0.34),
    ];
    canvas.polygon(&window, paint.glass());
    canvas.rectangle(spot.at(-0.55, 0.34), spot.at(0.55, 0.08), paint.main);
    wheels(canvas, spot, 0.32, 0.13, paint);
}

fn bus(canvas: &mut Canvas, spot: Spot, paint: Paint) {
    canvas.rectangle(spot.at(-0.56, 0.72), spot.at(0.56, 0.08), paint.main);
    for window in [-0.4, -0.13, 0.14, 0.41] {
        canvas.rectangle(
            spot.at(window - 0.1, 0.62),
            spot.at(window + 0.1, 0.4),
            paint.glass(),
        );
    }
    wheels(canvas, spot, 0.34, 0.12, paint);
}

fn boat(canvas: &mut Canvas, spot: Spot, paint: Paint) {
    let hull = [
        spot.at(-0.55, 0.3),
        spot.at(0.55, 0.3),
        spot.at(0.36, 0.0),
        spot.at(-0.36, 0.0),
    ];
    canvas.polygon(&hull, paint.main);
    canvas.rectangle(spot.at(-0.03, 1.1), spot.at(0.03, 0.3), paint.dark());
    let sail = mix(paint.main, paint.light, 0.25);
    canvas.polygon(
        &[spot.at(0.07, 1.08), spot.at(0.5, 0.4), spot.at(0.07, 0.4)],
        sail,
    );
    canvas.polygon(
        &[
            spot.at(-0.07, 0.9),
            spot.at(-0.07, 0.4),
            spot.at(-0.36, 0.4),
        ],
        sail,
    );
}

fn balloon(canvas: &mut Canvas, spot: Spot, paint: Paint) {
    let radius = spot.size * 0.46;
    let brown = times([0.45, 0.3, 0.15], paint.light);
    canvas.polygon(
        &[
            spot.at(-0.3, 0.55),
            spot.at(0.3, 0.55),
            spot.at(0.09, 0.14),
            spot.at(-0.09, 0.14),
        ],
        mix(paint.main, [0.0; 3], 0.3),
    );
    canvas.ellipse(spot.at(0.0, 0.78), (radius, radius), (paint.main, 1.0));
    canvas.rectangle(spot.at(-0.11, 0.16), spot.at(0.11, 0.0), brown);
}

fn tower(canvas: &mut Canvas, spot: Spot, paint: Paint) {
    canvas.rectangle(spot.at(-0.2, 1.3), spot.at(0.2, 0.0), paint.main);
    for tooth in [-0.24, -0.06, 0.12] {
        canvas.rectangle(spot.at(tooth, 1.5), spot.at(tooth + 0.12, 1.25), paint.main);
    }
    for up in [0.3, 0.65, 1.0] {
        canvas.rectangle(spot.at(-0.05, up + 0.14), spot.at(0.05, up), paint.dark());
    }
}

fn tent(canvas: &mut Canvas, spot: Spot, paint: Paint) {
    canvas.polygon(
        &[spot.at(0.0, 0.8), spot.at(0.55, 0.0), spot.at(-0.55, 0.0)],
        paint.main,
    );
    canvas.polygon(
        &[spot.at(0.0, 0.55), spot.at(0.17, 0.0), spot.at(-0.17, 0.0)],
        paint.dark(),
    );
}

fn flag(canvas: &mut Canvas, spot: Spot, paint: Paint) {
    let pole = times([0.6, 0.6, 0.62], paint.light);
    canvas.rectangle(spot.at(-0.42, 1.4), spot.at(-0.34, 0.0), pole);
    let cloth = [
        spot.at(-0.34, 1.38),
        spot.at(0.5, 1.28),
        spot.at(0.5, 0.8),
        spot.at(-0.34, 0.85),
    ];
    canvas.polygon(&cloth, paint.main);
}
