//! No target: writes what the targets begin with into `fuzz/corpus`, from the tests' golden files and from small files made here.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringArray, StringBuilder};
use libfuzzer_sys as _; // it holds what instrumented code is linked against
use mmfnd_fuzz::{fixture, scratch};
use mmfnd_posts::{TableColumn, write_posts, write_table};
use parquet::arrow::ArrowWriter;
use parquet::basic::Encoding;
use parquet::file::properties::{WriterProperties, WriterVersion};
use safetensors::SafeTensors;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn seed(target: &str, name: &str, parts: &[&[u8]]) {
    let folder = root().join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder).expect("the folder can be made");
    fs::write(folder.join(name), parts.concat()).expect("the seed can be written");
}

fn tables() {
    let csv = "id,text,image,label,split,event\n1,\"a, \"\"b\"\"\nc\",a.png|b.png,fake,train,e\n2,d,,real,test,\n";
    seed("manifest", "csv", &[b"c", csv.as_bytes()]);
    let tsv = "\u{feff}ID\ttext\timage\tlabel\r\n1\t\"a\ta.png\t1\r\n\r\n2\tb\t../c.png\t0\r\n";
    seed("manifest", "tsv", &[b"t", tsv.as_bytes()]);
    let lines = "{\"id\": 1, \"text\": \"a\\n\", \"image\": [\"a.png\", \"b|c.png\"], \"label\": true}\n{\"id\": \"2\", \"text\": null, \"image\": \"a.png\", \"ocr_text\": \"x\"}\n";
    seed("manifest", "json lines", &[b"j", lines.as_bytes()]);
    let dev = "post_id\tpost_text\tuser_id\timage_id(s)\tusername\ttimestamp\tlabel\n1\ta\\nb\tu\ta_fake_1, b_real_2\tn\tt\tfake\n2\tc\tu\tb_real_2\tn\tt\thumor\n";
    let test = "post_id\tpost_text\tuser_id\tusername\timage_id\ttimestamp\tlabel\r\n3\t\"d\tu\tn\ta_fake_1\tt\treal\r\n";
    seed("twitter", "2016", &[dev.as_bytes(), b"\0", test.as_bytes()]);
    let head = "1|n|url|url|2012|true|1|2|3|4|5|6|7|8|web\n";
    let record = format!("{head}http://h/a.jpg|null|\ntext\n2|short\n{head}");
    seed(
        "weibo",
        "records",
        &[
            record.as_bytes(),
            b"\0",
            head.as_bytes(),
            b"null\n\n\0x\0x\n",
        ],
    );
}

fn posts() {
    let file = scratch().join("seed.parquet");
    write_posts(&file, &fixture::posts(3)).expect("they can be written");
    seed(
        "posts",
        "posts",
        &[&fs::read(&file).expect("it was written")],
    );
    let text = |value: &str| TableColumn::Text(vec![Some(value.to_owned()), None]);
    let columns = [
        ("id", TableColumn::Int(vec![Some(1), Some(2)])),
        ("text", text("a")),
        ("image", text("a.png")),
        ("label", text("fake")),
    ];
    write_table(&file, &columns).expect("it can be written");
    seed(
        "posts",
        "manifest",
        &[&fs::read(&file).expect("it was written")],
    );
    let lists: ArrayRef = {
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("a.png"), None]);
        lists.append_null();
        Arc::new(lists.finish())
    };
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a text"), None]));
    let columns = [("id", &texts), ("text", &texts), ("image", &lists)];
    let columns = columns.map(|(name, column)| (name, column.clone()));
    let batch = RecordBatch::try_from_iter(columns).expect("they have two rows");
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for encoding in [
            Encoding::PLAIN,
            Encoding::DELTA_LENGTH_BYTE_ARRAY,
            Encoding::DELTA_BYTE_ARRAY,
        ] {
            let properties = WriterProperties::builder()
                .set_writer_version(version)
                .set_dictionary_enabled(false)
                .set_encoding(encoding)
                .build();
            let mut file = Vec::new();
            let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties))
                .expect("the columns can be written");
            writer.write(&batch).expect("it is written to memory");
            writer.close().expect("it is written to memory");
            seed("posts", &format!("{encoding} {version:?}"), &[&file]);
        }
    }
}

fn encoding() {
    let golden = fs::read(root().join("tests/golden/pixels.safetensors"))
        .expect("it is part of the repository");
    let golden = SafeTensors::deserialize(&golden).expect("it is a safetensors file");
    for (name, tensor) in golden.iter().filter(|(name, _)| name.ends_with(".file")) {
        seed("picture", name, &[tensor.data()]);
    }
    let preset =
        fs::read(root().join("models/presets/demo.toml")).expect("it is part of the repository");
    seed("preset", "demo", &[&preset]);
    seed(
        "text",
        "tweet",
        &["BREAKING: a Shark!! in #NYC's subway\u{1f988} http://t.co/x @a caf\u{e9}".as_bytes()],
    );
    seed(
        "text",
        "post",
        &["【转发】前 2013年 \u{200d}非法\u{3000}e\u{301}".as_bytes()],
    );
    let table = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n1\t1\t0\t0\t0\t0\t0\t0\t9\t9\t-1\t\n5\t1\t1\t1\t1\t1\t0\t0\t9\t9\t96.5\tNOT\n5\t2\t1\t1\t1\t1\t0\t0\t9\t9\t91\t转发\n";
    seed("ocr", "words", &[b"w", table.as_bytes()]);
    let cache = "{\"picture\":\"00112233445566778899aabbccddeeff\",\"recipe\":\"r\",\"text\":\"NOT \\\"RED\\\"\"}\n{\"pic";
    seed("ocr", "cache", &[b"c", cache.as_bytes()]);
}

/// A JSON file without the checksum that it carries.
fn unsealed(path: &Path) -> Vec<u8> {
    let text = fs::read_to_string(path).expect("it was written");
    let hash = text
        .split('"')
        .find(|word| word.len() == 64)
        .expect("it is sealed");
    text.replacen(hash, &"0".repeat(64), 1).into_bytes()
}

fn part(folder: &Path) -> Vec<u8> {
    let mut files = fs::read_dir(folder).expect("it is there").flatten();
    let part = files.find(|file| file.file_name().to_string_lossy().ends_with(".parquet"));
    fs::read(part.expect("there is one").path()).expect("it can be read")
}

fn store() {
    let store = scratch().join("store");
    fixture::write_store(&store, &fixture::posts(4));
    let bert = store.join("encoders/bert");
    let file = |name: &str| fs::read(store.join(name)).expect("it was written");
    seed(
        "store",
        "store",
        &[b"s", &unsealed(&store.join("store.json"))],
    );
    seed(
        "store",
        "encoder",
        &[b"e", &unsealed(&bert.join("encoder.json"))],
    );
    let plan = file("encoders/bert/plan");
    let lines = plan
        .iter()
        .position(|byte| *byte == b'\n')
        .expect("it has a head");
    seed("store", "plan", &[b"p", &plan[lines + 1..]]);
    seed("store", "links", &[b"l", &part(&store.join("posts"))]);
    seed("store", "values", &[b"v", &part(&bert)]);
    seed(
        "store",
        "rejects",
        &[b"r", b"post_id,path,reason\np1,/a.png,\"no, file\"\n"],
    );
    seed(
        "store",
        "classifier",
        &[b"c", &file("encoders/resnet/classifier.safetensors")],
    );
}

#[cfg(feature = "train")]
fn training() {
    use mmfnd_fuzz::training;
    use mmfnd_train::grid::Grid;
    use mmfnd_train::{Config, Sweep, SweepOptions};

    let toml = Config::default().to_toml();
    let more: [&[u8]; 4] = [
        b"\0+head.variant=released\0+train.lr=1e-3",
        b"\0*head.experts=1..6",
        b"\0*train.lr=1e-4,5e-4\0*head.kind=mmfnd,linear",
        b"\0*head.features=[\"bert\"],[\"clip\", \"resnet\"]\0+head.kind=mlp",
    ];
    for (number, more) in more.iter().enumerate() {
        let toml: &[u8] = if number == 0 {
            toml.as_bytes()
        } else {
            b"[train]\nclass_weights = [1, 2]\n"
        };
        seed("experiment", &number.to_string(), &[toml, more]);
    }
    let world = training::world();
    let (run, stopped) = (scratch().join("finished"), scratch().join("stopped"));
    training::run(&world, &run, usize::MAX).expect("it trains");
    for (kind, name) in [
        ("c", "config.toml"),
        ("r", "run.json"),
        ("e", "metrics.jsonl"),
        ("m", "metrics.json"),
        ("w", "weights.safetensors"),
    ] {
        seed(
            "run",
            name,
            &[
                kind.as_bytes(),
                &fs::read(run.join(name)).expect("it was written"),
            ],
        );
    }
    let stop = || training::run(&world, &stopped, 1);
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(stop));
    assert!(ended.is_err(), "it was stopped");
    let checkpoint = fs::read(stopped.join("checkpoint/last.safetensors")).expect("it was written");
    seed("run", "checkpoint", &[b"k", &checkpoint]);
    let axes = ["head.experts=1,2".to_owned()];
    let options = SweepOptions {
        out: scratch().join("sweep"),
        jobs: 1,
        seeds: 1,
        store: "s".to_owned(),
        ..SweepOptions::default()
    };
    let sweep = Sweep {
        features: &world.features,
        posts: &world.posts,
        grid: &Grid::read(None, &training::settings(), &axes).expect("it is a grid"),
        options: &options,
    };
    sweep.run(&|_| ()).expect("it trains");
    for (kind, name) in [
        ("s", "sweep.json"),
        ("r", "runs.jsonl"),
        ("p", "runs/experts=1,seed=1/predictions.parquet"),
    ] {
        let file = fs::read(options.out.join(name)).expect("it was written");
        seed("sweep", &name.replace('/', " "), &[kind.as_bytes(), &file]);
    }
}

/// A field of a protocol buffer that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = [bytes.len() as u8 | 0x80, (bytes.len() >> 7) as u8];
    [&[number << 3 | 2], &length[..], bytes].concat()
}

fn node(kind: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|name| field(1, name.as_bytes()));
    let rest = [field(2, output.as_bytes()), field(4, kind.as_bytes())];
    field(1, &inputs.chain(rest.concat()).collect::<Vec<u8>>())
}

/// Float32 weights that stand in a model.
fn weights(name: &str, shape: &[u8]) -> Vec<u8> {
    let count: usize = shape.iter().map(|axis| usize::from(*axis)).product();
    let shape: Vec<u8> = shape.iter().flat_map(|axis| [1 << 3, *axis]).collect();
    let values = 0.5f32.to_le_bytes().repeat(count);
    let parts = [
        shape,
        vec![2 << 3, 1],
        field(8, name.as_bytes()),
        field(9, &values),
    ];
    field(5, &parts.concat())
}

/// A model of two convolutions, one with a sum and a ReLU behind it.
fn model() {
    let graph = [
        node("Conv", &["x", "w", "b"], "c"),
        node("Relu", &["c"], "r"),
        node("Conv", &["r", "w"], "d"),
        node("Add", &["r", "d"], "s"),
        node("Relu", &["s"], "y"),
        weights("w", &[32, 32, 1, 1]),
        weights("b", &[32]),
        field(12, &field(1, b"y")),
    ];
    seed("model", "convolutions", &[&field(7, &graph.concat())]);
}

fn main() {
    model();
    tables();
    posts();
    encoding();
    store();
    #[cfg(feature = "train")]
    training();
    fs::remove_dir_all(scratch()).expect("it can be removed");
}
