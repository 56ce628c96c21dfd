//! Sky, weather and ground of a scene.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::canvas::{Canvas, Rgb, mix, times};
use super::scene::{Place, Scene, Time, Weather};

/// Light that falls on the ground and on things.
pub fn light(time: Time) -> Rgb {
    match time {
        Time::Day => [1.0, 1.0, 1.0],
        Time::Dusk => [0.88, 0.68, 0.58],
        Time::Night => [0.45, 0.48, 0.62],
    }
}

/// Everything behind the things; returns the horizon's row.
pub fn draw(canvas: &mut Canvas, scene: &Scene, rng: &mut ChaCha8Rng) -> f32 {
    let horizon = canvas.height as f32 * rng.random_range(0.46..0.58);
    sky(canvas, scene, horizon, rng);
    let tint = light(scene.time);
    let base = times(ground_colour(scene.place), tint);
    let far = mix(base, [0.7 * tint[0], 0.75 * tint[1], 0.8 * tint[2]], 0.25);
    backdrop(canvas, scene.place, horizon, tint, rng);
    canvas.rows(horizon, canvas.height as f32, |depth| mix(far, base, depth));
    texture(canvas, scene.place, horizon, base, rng);
    horizon
}

/// Rain or snow in front of everything.
pub fn precipitation(canvas: &mut Canvas, weather: Weather, rng: &mut ChaCha8Rng) {
    let (width, height) = (canvas.width as f32, canvas.height as f32);
    let drops = match weather {
        Weather::Rain => 170,
        Weather::Snow => 150,
        _ => 0,
    };
    for _ in 0..drops {
        let (x, y) = (rng.random_range(0.0..width), rng.random_range(0.0..height));
        if weather == Weather::Snow {
            let size = rng.random_range(1.6..3.6);
            canvas.ellipse((x, y), (size, size), ([0.97; 3], 0.9));
        } else {
            let length = rng.random_range(12.0..26.0);
            let to = (x + length * 0.35 + 1.6, y + length);
            canvas.fill((x, y), to, ([0.72, 0.78, 0.88], 0.6), |px, py| {
                let offset = px - x - (py - y) * 0.35;
                (0.0..1.6).contains(&offset)
            });
        }
    }
}

fn sky(canvas: &mut Canvas, scene: &Scene, horizon: f32, rng: &mut ChaCha8Rng) {
    let (top, low): (Rgb, Rgb) = match scene.time {
        Time::Day => ([0.32, 0.6, 0.93], [0.74, 0.87, 0.98]),
        Time::Dusk => ([0.42, 0.3, 0.55], [0.99, 0.6, 0.3]),
        Time::Night => ([0.02, 0.03, 0.1], [0.1, 0.12, 0.27]),
    };
    let tint = light(scene.time);
    let grey = times([0.62, 0.64, 0.68], tint);
    let cover = match scene.weather {
        Weather::Clear => 0.0,
        Weather::Cloudy => 0.35,
        Weather::Rain => 0.7,
        Weather::Snow => 0.55,
    };
    canvas.rows(0.0, horizon, |depth| mix(mix(top, low, depth), grey, cover));
    if scene.weather == Weather::Clear {
        lights(canvas, scene.time, horizon, rng);
    } else {
        clouds(canvas, scene.weather, times([0.86, 0.87, 0.9], tint), rng);
    }
}

/// Sun, or moon and stars.
fn lights(canvas: &mut Canvas, time: Time, horizon: f32, rng: &mut ChaCha8Rng) {
    let width = canvas.width as f32;
    let x = rng.random_range(0.1..0.9) * width;
    match time {
        Time::Day => canvas.ellipse((x, horizon * 0.25), (17.0, 17.0), ([1.0, 0.95, 0.6], 1.0)),
        Time::Dusk => canvas.ellipse((x, horizon * 0.9), (26.0, 26.0), ([1.0, 0.8, 0.35], 1.0)),
        Time::Night => {
            for _ in 0..40 {
                let star = (rng.random_range(0.0..width), rng.random_range(0.0..horizon));
                canvas.ellipse(star, (1.7, 1.7), ([0.9, 0.9, 0.8], 1.0));
            }
            canvas.ellipse((x, horizon * 0.3), (15.0, 15.0), ([0.93, 0.92, 0.8], 1.0));
        }
    }
}

fn clouds(canvas: &mut Canvas, weather: Weather, colour: Rgb, rng: &mut ChaCha8Rng) {
    let (width, height) = (canvas.width as f32, canvas.height as f32);
    let shade = match weather {
        Weather::Cloudy => 1.0,
        _ => 0.75,
    };
    let colour = times(colour, [shade; 3]);
    for _ in 0..rng.random_range(4..8) {
        let (x, y) = (
            rng.random_range(0.0..width),
            rng.random_range(0.02..0.3) * height,
        );
        for _ in 0..4 {
            let (dx, dy) = (rng.random_range(-30.0..30.0), rng.random_range(-6.0..6.0));
            let size = (rng.random_range(16.0..40.0), rng.random_range(8.0..16.0));
            canvas.ellipse((x + dx, y + dy), size, (colour, 0.8));
        }
    }
}

fn ground_colour(place: Place) -> Rgb {
    match place {
        Place::Sea => [0.1, 0.36, 0.6],
        Place::Desert => [0.88, 0.72, 0.42],
        Place::Meadow => [0.38, 0.68, 0.24],
        Place::City => [0.42, 0.42, 0.44],
        Place::Mountains => [0.5, 0.46, 0.34],
        Place::Forest => [0.2, 0.36, 0.16],
        Place::Ice => [0.86, 0.93, 0.98],
    }
}

/// What rises behind the horizon.
fn backdrop(canvas: &mut Canvas, place: Place, horizon: f32, tint: Rgb, rng: &mut ChaCha8Rng) {
    let (width, height) = (canvas.width as f32, canvas.height as f32);
    let mut x = -0.05 * width;
    while x < width {
        let step = match place {
            Place::City => {
                let (wide, high) = (
                    rng.random_range(22.0..44.0),
                    rng.random_range(0.14..0.36) * height,
                );
                building(canvas, (x, horizon - high), (x + wide, horizon), tint, rng);
                wide
            }
            Place::Mountains => {
                let (wide, high) = (
                    rng.random_range(70.0..120.0),
                    rng.random_range(0.2..0.36) * height,
                );
                peak(canvas, (x, horizon), (wide, high), tint);
                wide * 0.6
            }
            Place::Forest => {
                let (wide, high) = (
                    rng.random_range(18.0..28.0),
                    rng.random_range(0.16..0.28) * height,
                );
                let green = times([0.08, rng.random_range(0.24..0.34), 0.1], tint);
                canvas.polygon(
                    &[
                        (x + wide / 2.0, horizon - high),
                        (x + wide, horizon),
                        (x, horizon),
                    ],
                    green,
                );
                wide * 0.55
            }
            Place::Desert => {
                let wide = rng.random_range(60.0..130.0);
                let sand = times([0.8, 0.62, 0.35], tint);
                canvas.ellipse(
                    (x + wide / 2.0, horizon),
                    (wide, 0.06 * height),
                    (sand, 1.0),
                );
                wide
            }
            Place::Ice => {
                let wide = rng.random_range(50.0..100.0);
                let blue = times([0.66, 0.82, 0.93], tint);
                let top = horizon - rng.random_range(0.04..0.14) * height;
                canvas.polygon(
                    &[
                        (x + wide * 0.3, top),
                        (x + wide * 0.8, top),
                        (x + wide, horizon),
                        (x, horizon),
                    ],
                    blue,
                );
                wide * 1.3
            }
            Place::Sea | Place::Meadow => width + 1.0,
        };
        x += step;
    }
}

fn building(
    canvas: &mut Canvas,
    from: (f32, f32),
    to: (f32, f32),
    tint: Rgb,
    rng: &mut ChaCha8Rng,
) {
    let grey = rng.random_range(0.28..0.5);
    canvas.rectangle(from, to, times([grey, grey, grey + 0.05], tint));
    let mut y = from.1 + 6.0;
    while y + 5.0 < to.1 {
        let mut x = from.0 + 4.0;
        while x + 5.0 < to.0 {
            if rng.random_bool(0.6) {
                canvas.rectangle((x, y), (x + 4.0, y + 5.0), [0.8, 0.76, 0.5]);
            }
            x += 9.0;
        }
        y += 12.0;
    }
}

fn peak(canvas: &mut Canvas, (x, horizon): (f32, f32), (wide, high): (f32, f32), tint: Rgb) {
    let top = (x + wide / 2.0, horizon - high);
    let rock = times([0.42, 0.4, 0.44], tint);
    canvas.polygon(&[top, (x + wide, horizon), (x, horizon)], rock);
    let cap = |side: f32| (top.0 + side * wide * 0.15, top.1 + high * 0.3);
    canvas.polygon(&[top, cap(1.0), cap(-1.0)], times([0.95; 3], tint));
}

/// Waves, blades, ripples and cracks.
fn texture(canvas: &mut Canvas, place: Place, horizon: f32, base: Rgb, rng: &mut ChaCha8Rng) {
    let (width, height) = (canvas.width as f32, canvas.height as f32);
    let (strokes, long, high, share) = match place {
        Place::Sea => (60, 34.0, 2.5, 0.3),
        Place::Desert => (25, 50.0, 2.0, 0.15),
        Place::Meadow => (120, 2.5, 8.0, -0.3),
        Place::City => (14, 26.0, 3.0, 0.4),
        Place::Mountains => (50, 8.0, 5.0, -0.25),
        Place::Forest => (120, 4.0, 7.0, -0.35),
        Place::Ice => (18, 30.0, 1.6, -0.2),
    };
    let target = if share > 0.0 { [1.0; 3] } else { [0.0; 3] };
    for _ in 0..strokes {
        let (x, y) = (
            rng.random_range(-10.0..width),
            rng.random_range(horizon + 2.0..height),
        );
        let scale = rng.random_range(0.5..1.0);
        let to = (x + long * scale, y + high * scale);
        canvas.fill(
            (x, y),
            to,
            (mix(base, target, f32::abs(share)), 0.8),
            |_, _| true,
        );
    }
}
