//! What stage 1 makes of single texts and pictures, for `tests/parity` and `tests/speed`.
//!
//! ```text
//! dump tokens   PRESET ENCODER < TEXTS       a JSON string a line in, a JSON list of ids a line out
//! dump pixels   PRESET ENCODER < PATHS       a path a line in; out a byte (0 refused, 1 decoded) and, before
//!                                            normalisation, [H, W, 3] bytes
//! dump features PRESET ENCODER ROWS < …      texts or paths in, float32 rows out, ROWS contents in a batch; DEVICE
//!                                            (`cpu`, `bf16` for bfloat16 there, or `cuda`) may follow ROWS
//! dump bare     PRESET POSTS ENCODERS HOW    the encoders alone (names with commas), a JSON object each; HOW is
//!                                            `tiles`: as `mmfnd encode` runs them, `plain`: as ONNX Runtime does by
//!                                            itself, `bf16`: in bfloat16, `cuda`: on the card
//! dump padding  PRESET POSTS                 tokens of the batches, a JSON object for each text encoder
//! ```

mod encoders_alone;

use std::io::{self, BufRead, Write};
use std::path::Path;

use serde_json::json;

use mmfnd_encode::{Device, Encoders, FromPreset, Handles, Options, Preset, in_bfloat16};
use mmfnd_pictures::{Picture, read};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["tokens", preset, name] => tokens(&Preset::find(preset)?.only(&[name.into()])?),
        ["pixels", preset, name] => pixels(&Preset::find(preset)?.only(&[name.into()])?),
        ["features", preset, name, rows] | ["features", preset, name, rows, "cpu"] => {
            let preset = Preset::find(preset)?.only(&[name.into()])?;
            features(&preset, rows.parse()?, Device::Cpu)
        }
        ["features", preset, name, rows, "bf16"] => {
            let preset = Preset::find(preset)?.only(&[name.into()])?;
            let preset = in_bfloat16(&preset, Device::Cpu)?;
            features(&preset, rows.parse()?, Device::Cpu)
        }
        ["features", preset, name, rows, "cuda"] => {
            let preset = Preset::find(preset)?.only(&[name.into()])?;
            features(&preset, rows.parse()?, Device::Cuda)
        }
        [
            "bare",
            preset,
            posts,
            names,
            how @ ("tiles" | "plain" | "bf16" | "cuda"),
        ] => {
            let names: Vec<String> = names.split(',').map(str::to_owned).collect();
            let preset = Preset::find(preset)?.only(&names)?;
            let device = if how == "cuda" {
                Device::Cuda
            } else {
                Device::Cpu
            };
            let preset = match how {
                "bf16" => in_bfloat16(&preset, device)?,
                _ => preset,
            };
            run_bare(&preset, posts, how == "tiles", device)
        }
        ["padding", preset, posts] => padding(&Preset::find(preset)?, posts),
        _ => Err("the head of this file says how it is called".into()),
    }
}

fn encoders(preset: &Preset, threads: usize, device: Device) -> FromPreset<'_> {
    let options = Options {
        device,
        threads,
        ..Options::default()
    };
    FromPreset::new(preset, Path::new(""), &options)
}

fn texts() -> Result<Vec<String>, Failure> {
    let lines = io::stdin().lock().lines();
    lines
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect()
}

fn tokens(preset: &Preset) -> Result<(), Failure> {
    let tokens = encoders(preset, 1, Device::Cpu).tokens(0)?;
    let mut out = io::stdout().lock();
    for text in texts()? {
        let ids = tokens.ids(&text).map_err(|error| error.to_string())?;
        writeln!(out, "{}", serde_json::to_string(&ids)?)?;
    }
    Ok(())
}

fn pixels(preset: &Preset) -> Result<(), Failure> {
    let preprocessing = encoders(preset, 1, Device::Cpu).preprocessing(0);
    let (width, height) = preprocessing.input_size();
    let mut out = io::stdout().lock();
    for path in io::stdin().lock().lines() {
        let path = path?;
        match read(Path::new(&path)).and_then(|bytes| Picture::decode(&bytes)) {
            Ok(picture) => {
                out.write_all(&[1])?;
                out.write_all(&preprocessing.resized(picture.with(preprocessing.alpha)))?;
            }
            Err(refusal) => {
                eprintln!("{path}: {refusal}");
                out.write_all(&[0])?;
                out.write_all(&vec![0; (3 * width * height) as usize])?;
            }
        }
    }
    Ok(())
}

fn features(preset: &Preset, rows: usize, device: Device) -> Result<(), Failure> {
    let encoders = encoders(preset, 0, device);
    if preset.encoders[0].image.is_some() {
        let preprocessing = encoders.preprocessing(0);
        let mut inputs = Vec::new();
        for path in io::stdin().lock().lines() {
            let picture = Picture::decode(&read(Path::new(&path?))?)?;
            inputs.push(preprocessing.pixels_of(&picture)?);
        }
        return write_rows(encoders.open_image(0)?, &inputs, rows);
    }
    let tokens = encoders.tokens(0)?;
    let ids = texts()?;
    let ids = ids.iter().map(|text| tokens.ids(text));
    let ids: Vec<Vec<u32>> = ids
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    write_rows(encoders.open_text(0, tokens.pad_id())?, &ids, rows)
}

fn write_rows<E>(mut handles: Handles<E>, inputs: &[Vec<E>], rows: usize) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let encoder = handles.first_mut().ok_or("no encoder was opened")?;
    for batch in inputs.chunks(rows.max(1)) {
        let batch: Vec<&[E]> = batch.iter().map(Vec::as_slice).collect();
        let values = encoder.encode(&batch)?;
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        out.write_all(&bytes)?;
    }
    Ok(())
}

fn run_bare(preset: &Preset, posts: &str, tiles: bool, device: Device) -> Result<(), Failure> {
    let posts = mmfnd_posts::read_posts(Path::new(posts))?;
    let options = Options {
        device,
        tiles,
        ..Options::default()
    };
    let encoders = FromPreset::new(preset, Path::new(""), &options);
    for one in encoders_alone::run(&posts, &encoders, device)? {
        let (contents, seconds) = (one.contents, one.time.as_secs_f64());
        let line = json!({"encoder": one.name, "contents": contents, "seconds": seconds});
        println!("{line}");
    }
    Ok(())
}

fn padding(preset: &Preset, posts: &str) -> Result<(), Failure> {
    let posts = mmfnd_posts::read_posts(Path::new(posts))?;
    for one in encoders_alone::padding(&posts, &encoders(preset, 0, Device::Cpu))? {
        let (tokens, computed) = (one.tokens, one.computed);
        let line = json!({"encoder": one.name, "tokens": tokens, "computed": computed});
        println!("{line}");
    }
    Ok(())
}
