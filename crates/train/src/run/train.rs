//! A run from features to predictions, of a head whose type is known.

use std::time::{Duration, Instant};

use burn::tensor::{Tensor, TensorData};
use mmfnd_pictures::Preprocessing;
use mmfnd_posts::{Post, Split, TableColumn, write_table};

use super::backbone::Backbone;
use super::dir::RunDir;
use super::final_metrics::{BestTest, RunMetrics, Selection};
use super::info::{Counts, RunInfo};
use super::request::{RunRequest, RunSummary};
use crate::config::{Augmentation, Config, Select, TrainConfig};
use crate::data::{
    Augment, CardFeatures, ClassLayer, Dataset, Numbering, Pixels, Splits, TOKENS, fingerprint,
    labels, pictures, specs,
};
use crate::fitting::{BACKBONE, Network, State, Trainer, Watch, checkpoint};
use crate::heads::{Head, Init, Online, Reads, Resnet, Sizes};
use crate::optim::{AdamW, Loss, Rates};
use crate::scoring::metrics::Metrics;
use crate::scoring::{Scorer, write_run};
use crate::weights::{self, file};
use crate::{DataProblem, Device, Error};

const NO_LAYER: &str =
    "the features of `resnet` come without a classification layer: it starts from random weights";

const ONE_AFTER_THE_OTHER: &str = "this head takes several steps a batch, each on the weights that the one before left: it has no `train.accumulate`";

/// Trains the head and writes the run directory.
pub(super) fn train_head<H: Head>(request: &RunRequest) -> Result<RunSummary, Error> {
    let (features, posts, config) = (request.features, request.posts, request.config);
    let options = request.options;
    let device = options.device.open()?.autodiff();
    let dataset = Dataset::new(features, posts, config)?;
    let pictures = pictures(features, &dataset);
    let splits = Splits::of(posts, &pictures, &config.train)?;
    let numbering = Numbering::new(posts, &pictures, &splits);
    let layer = resnet_layer::<H>(request)?;
    let backbone = Backbone::of(config, features, options.pictures.as_ref())?;
    let sizes = dataset.sizes(layer.as_ref().map(|layer| layer.classes));
    let sizes = counted::<H>(sizes, &numbering);
    let head = config.head.options::<H>();
    H::check(&head, &sizes).map_err(DataProblem::Head)?;
    let stages = H::stages(&head);
    if config.train.accumulate > 1 && stages.iter().any(|steps| steps.len() > 1) {
        return Err(DataProblem::Head(ONE_AFTER_THE_OTHER.to_owned()).into());
    }
    let preprocessing = preprocessing(request);
    let dataset = match preprocessing.clone() {
        Some(how) => {
            let rows = [Split::Train, Split::Validation, Split::Test].map(|of| splits.rows(of));
            dataset.with_pictures(Pixels::find(features, (posts, &rows.concat()), how)?)
        }
        None => dataset,
    };
    let mut doubt = None;
    if let Some(backbone) = &backbone {
        backbone.check_memory(&dataset, &splits.train, config.train.batch_size)?;
        doubt = backbone.doubt(&dataset, &splits.train)?;
    }
    let (run, _lock) = RunDir::create(&options.out, options.resume, options.overwrite)?;
    let on_card = match request.on_card {
        Some(on_card) => on_card.clone(),
        None => CardFeatures::new(dataset.columns(), options.device, &device),
    };
    let dataset = dataset.with_card(on_card);
    let mut notes = notes::<H>(config, &splits, layer.is_some());
    notes.extend(backbone.as_ref().map(Backbone::note));
    notes.extend(doubt);
    notes.extend(dataset.card_note(options.device));
    let sizes_of_backbone = backbone.as_ref().map(|backbone| backbone.config().clone());
    let info = RunInfo {
        backbone: sizes_of_backbone,
        preprocessing,
        ..info(request, &splits, sizes, notes)
    };
    start(&run, config, &info)?;
    write_rejects(&run, posts, &splits)?;
    let per_epoch = steps(splits.train.len(), &config.train);
    let rates = |of: &TrainConfig| Rates::new(of, per_epoch);
    let trainer = Trainer {
        dataset: &dataset,
        posts,
        splits: &splits,
        numbering: &numbering,
        stages: &stages,
        config: &config.train,
        loss: Loss::of(&config.train, labels(posts, &splits.train).into_iter()),
        rates: rates(&config.train),
        backbone_rates: (config.online()).map(|(own, _)| rates(&own.training(&config.train))),
        augment: augment(config),
        device: &device,
        test_each_epoch: options.test_each_epoch,
    };
    let state = fresh::<H>(config, &sizes, layer, &device, options.device);
    let trained = (&trainer, &run, request);
    match backbone {
        None => train_network(trained, state, info),
        Some(backbone) => {
            let resnet = backbone.resnet(&device);
            let resnet = resnet.expect("it was made of these weights before");
            let state = with_backbone(state, resnet, config);
            train_network(trained, state, info)
        }
    }
}

/// Trains what is given, or takes it as the run has it, and writes what stands at the end of a run.
fn train_network<N: Network>(
    (trainer, run, request): (&Trainer, &RunDir, &RunRequest),
    state: State<N>,
    info: RunInfo,
) -> Result<RunSummary, Error> {
    let (network, selection) = match run.is_finished() {
        true => finished(run, state.head.valid())?,
        false => {
            let interval = request.options.checkpoint_interval;
            train_epochs(trainer, run, state, (interval, request.watch))?
        }
    };
    finish(trainer, run, &network, selection, info)
}

/// A head's first state with a ResNet before it, whose weights have rates of their own.
fn with_backbone<H: Head>(state: State<H>, resnet: Resnet, config: &Config) -> State<Online<H>> {
    let (rates, _) = config.online().expect("there is a ResNet to train");
    let (rate, decay) = (rates.learning_rate, rates.weight_decay);
    State {
        head: Online::new(state.head, resnet),
        optimizer: state.optimizer.with_group(BACKBONE, rate, decay),
        memory: state.memory,
        epoch: state.epoch,
        step: state.step,
        best: None,
    }
}

/// With the numbers of events and posts, of a head that counts them.
fn counted<H: Head>(sizes: Sizes, numbering: &Numbering) -> Sizes {
    match H::COUNTS_POSTS {
        true => Sizes {
            events: numbering.events,
            posts: numbering.posts,
            ..sizes
        },
        false => sizes,
    }
}

/// ResNet's own layer, for a head that starts from it.
fn resnet_layer<H: Head>(request: &RunRequest) -> Result<Option<ClassLayer>, Error> {
    match reads_resnet::<H>(request.config) {
        true => ClassLayer::of(request.features, "resnet"),
        false => Ok(None),
    }
}

fn reads_resnet<H: Head>(config: &Config) -> bool {
    H::HAS_RESNET_LAYER && config.head.encoders().contains(&"resnet")
}

/// What becomes of the pictures that ResNet is trained from, where it is.
fn preprocessing(request: &RunRequest) -> Option<Preprocessing> {
    let (_, trained) = request.config.online()?;
    let given = request.options.pictures.as_ref();
    let given = given.filter(|_| trained.reads() == Reads::Pixels);
    given.map(|given| given.preprocessing.clone())
}

/// How the pictures that ResNet is trained from are varied, if they are.
fn augment(config: &Config) -> Option<Augment> {
    let (resnet, _) = config.online()?;
    (resnet.augment == Augmentation::CropFlip).then_some(Augment {
        seed: config.train.seed,
        batch: 0,
        smallest: resnet.smallest_part,
    })
}

/// What was decided for the user.
fn notes<H: Head>(config: &Config, splits: &Splits, has_layer: bool) -> Vec<String> {
    let mut notes = splits.notes.clone();
    notes.extend(H::notes(&config.head.options::<H>()));
    if config.train.select == Select::Test {
        notes.push("the epoch is chosen by the test split: the test figures are optimistic".into());
    }
    if reads_resnet::<H>(config) && !has_layer {
        notes.push(NO_LAYER.to_owned());
    }
    notes
}

/// What `run.json` says.
fn info(request: &RunRequest, splits: &Splits, sizes: Sizes, notes: Vec<String>) -> RunInfo {
    let RunRequest {
        config, options, ..
    } = request;
    RunInfo {
        format: 1,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: options.commit.clone(),
        seed: config.train.seed,
        device: options.device,
        store: options.store.clone(),
        posts: fingerprint(request.posts, request.features),
        encoders: specs(request.features, &config.encoders()),
        encoding_seconds: request.features.encoding_seconds.clone(),
        sizes,
        with_ocr: request.features.with_ocr.filter(|_| {
            let encoders = config.head.encoders();
            encoders.contains(&"bert") || encoders.contains(&TOKENS)
        }),
        backbone: None,
        preprocessing: None,
        counts: Counts {
            train: splits.train.len(),
            validation: splits.validation.len(),
            test: splits.test.len(),
            left_out: splits.left_out.len(),
        },
        notes,
    }
}

/// Writes what is known before the first step, or checks that a resumed run is the same one.
fn start(run: &RunDir, config: &Config, info: &RunInfo) -> Result<(), Error> {
    if !run.has_info() {
        run.write_config(config)?;
        return run.write_info(info);
    }
    if let Some(difference) = config.difference(&run.config()?) {
        return Err(run.problem(&format!(
            "cannot be resumed with another configuration: {difference}; leave out what differs, or use another `--out`"
        )));
    }
    let before = run.info()?;
    let changed = [
        ("the device", before.device != info.device),
        (
            "the encoders of the store",
            before.encoders != info.encoders,
        ),
        ("the posts", before.posts != info.posts),
    ];
    match changed.iter().find(|(_, changed)| *changed) {
        Some((what, _)) => Err(run.problem(&format!(
            "cannot be resumed: {what} changed; train anew with `--overwrite`"
        ))),
        None => Ok(()),
    }
}

/// A head with first values, and no step done.
fn fresh<H: Head>(
    config: &Config,
    sizes: &Sizes,
    layer: Option<ClassLayer>,
    device: &burn::tensor::Device,
    kind: Device,
) -> State<H> {
    let train = &config.train;
    let options = config.head.options::<H>();
    let mut init = Init::new(train.seed, device);
    let mut head = H::new(&options, sizes, &mut init);
    let memory = H::memory(&options, sizes, &mut init);
    if let Some(layer) = layer {
        let weight = TensorData::new(layer.weight, [sizes.resnet, layer.classes]);
        let bias = TensorData::new(layer.bias, [layer.classes]);
        let (weight, bias) = (
            Tensor::from_data(weight, device),
            Tensor::from_data(bias, device),
        );
        head = head.with_resnet_layer(weight, bias);
    }
    State {
        head,
        optimizer: AdamW::new(train.learning_rate, train.weight_decay, kind.is_host()),
        memory,
        epoch: 0,
        step: 0,
        best: None,
    }
}

/// Steps of an epoch; a last batch of one post is in none.
fn steps(posts: usize, config: &TrainConfig) -> usize {
    let batches = posts / config.batch_size + usize::from(posts % config.batch_size > 1);
    batches.div_ceil(config.accumulate)
}

/// All epochs that are still to be done; the weights of the best one.
fn train_epochs<N: Network>(
    trainer: &Trainer,
    run: &RunDir,
    state: State<N>,
    (interval, watch): (Duration, Watch),
) -> Result<(N, Selection), Error> {
    let folder = run.checkpoint();
    let mut state = checkpoint::load(&folder, state, trainer.device)?;
    let mut reports = run.epochs()?;
    reports.truncate(state.epoch);
    let mut saved = Instant::now();
    while !trainer.is_done(&state) {
        let report;
        (state, report) = trainer.epoch(state, watch.on_batch)?;
        (watch.on_epoch)(&report);
        reports.push(report);
        run.write_epochs(&reports)?;
        let is_due = state.epoch % trainer.config.checkpoint_every == 0;
        if is_due && saved.elapsed() >= interval {
            checkpoint::save(&folder, &state)?;
            saved = Instant::now();
        }
    }
    let by = trainer.config.select;
    let best = state.best;
    let best = best.expect("there is at least one epoch, and the first is the best so far");
    let selection = Selection {
        epoch: best.epoch,
        epochs: state.epoch,
        by,
        optimistic: by == Select::Test,
    };
    Ok((best.head, selection))
}

/// The weights of a run that is finished already.
fn finished<N: Network>(run: &RunDir, head: N) -> Result<(N, Selection), Error> {
    let (weights, _) = file::read(&run.weights())?;
    let head = weights::load(head, &weights);
    let head = head.map_err(|problem| file::problem(&run.weights(), problem))?;
    Ok((head, run.metrics()?.selection))
}

/// Predicts all posts and writes what stands at the end of a run, the metrics last.
fn finish<N: Network>(
    trainer: &Trainer,
    run: &RunDir,
    network: &N,
    selection: Selection,
    info: RunInfo,
) -> Result<RunSummary, Error> {
    let splits = [Split::Train, Split::Validation, Split::Test];
    let rows = splits.map(|split| trainer.splits.rows(split));
    let device = trainer.device.clone().without_autodiff();
    let forward = |inputs| network.head().forward(inputs, None);
    let scorer = Scorer {
        forward: &forward,
        backbone: network.backbone(),
        dataset: trainer.dataset,
        device: &device,
    };
    let predict = |rows: &[usize]| scorer.predict(rows);
    let predictions = [predict(rows[0])?, predict(rows[1])?, predict(rows[2])?];
    let of =
        |index: usize| -> Option<Metrics> { trainer.metrics(rows[index], &predictions[index]) };
    let metrics = RunMetrics {
        selection,
        train: of(0),
        validation: of(1),
        test: of(2),
        best_test: BestTest::of(&run.epochs()?),
    };
    let names = [0, 1, 2].map(|index| vec![splits[index]; rows[index].len()]);
    let (rows, predictions) = (rows.concat(), predictions.concat());
    let scored: Vec<_> = rows.iter().map(|&row| &trainer.posts[row]).collect();
    file::write(&run.weights(), weights::stored(network), None)?;
    let (posts, predicted) = (
        (&*scored, &*names.concat()),
        (&*predictions, N::Head::EXTRAS),
    );
    write_run(&run.predictions(), posts, predicted)?;
    run.write_metrics(&metrics)?;
    run.remove_checkpoint()?;
    Ok(RunSummary {
        info,
        metrics,
        rows,
        predictions,
    })
}

/// Posts that were left out, and why.
fn write_rejects(run: &RunDir, posts: &[Post], splits: &Splits) -> Result<(), Error> {
    let text = |value: &dyn Fn(&(usize, &'static str)) -> String| {
        TableColumn::Text(splits.left_out.iter().map(|row| Some(value(row))).collect())
    };
    let columns = [
        ("post_id", text(&|(row, _)| posts[*row].id.clone())),
        ("split", text(&|(row, _)| posts[*row].split.to_string())),
        ("reason", text(&|(_, reason)| (*reason).to_owned())),
    ];
    Ok(write_table(&run.rejects(), &columns)?)
}
