"""Every configuration key once, with unit and source. Experiments import this and change lines.

A section is the keyword arguments of one function, named beside it. The defaults are the published system's
(Hoyer et al., IJCV 2023) for Cityscapes; METHOD sections are quoted from docs/deviations.md.
"""

from ml_collections import ConfigDict


def get_config():
    c = ConfigDict()
    c.name = "base"
    c.seed = 42  # parameters, shuffling, augmentation, mixing: everything random follows from it

    # data.prepare.prepare and cli.streams.open_streams
    c.data = ConfigDict()
    c.data.dataset = "street_scenes"  # a module of sde_seg_jax/data/datasets
    c.data.raw_dir = ""  # folder with the files as downloaded; empty for data that is made
    c.data.prepared_dir = "prepared"  # where cli.prepare writes and training reads
    c.data.size = (512, 1024)  # stored height, width [px]
    c.data.crop = (512, 512)  # random crop of a training image, height, width [px]
    c.data.flip = 0.5  # probability of a horizontal flip
    c.data.batch_size = 2  # of each stream (labeled, unlabeled), over all devices
    c.data.labels = 372  # how many training images have labels; 0 = all
    c.data.label_file = ""  # text file with one sample name a line: use these labels instead of a random draw
    c.data.label_seed = 42  # of the random draw
    c.data.train_split = "train"
    c.data.video_split = "train"  # split with neighboring frames, for self-supervised depth
    c.data.val_split = "val"
    c.data.in_memory = False  # decode everything once and keep it (small data sets)

    # options of the data set's description (sde_seg_jax/data/datasets/<dataset>.py)
    c.dataset = ConfigDict()

    # models.network.make_network; init and transfer: cli.build
    c.model = ConfigDict()
    c.model.encoder = "resnet101"
    c.model.width = 64  # channels of the encoder's first stage
    c.model.dilate = (False, False, True)  # layer2, layer3, layer4 dilated instead of strided: output stride 16
    c.model.decoder_channels = (64, 128, 128, 256, 256)  # fine (level 0) to coarse (level 4)
    c.model.aspp_rates = (6, 12, 18)
    c.model.dropout = 0.5  # of the ASPP, in training only
    c.model.disparity_bias = None  # initial bias of the disparity heads; None = PyTorch's default (disparity about 0.5)
    c.model.pose_encoder = "resnet18"
    c.model.pose_width = 64
    c.model.pose_channels = 256  # of the pose decoder
    c.model.pose_scale = 0.01  # multiplies the pose network's output
    c.model.pose_start = 1.0  # factor of the pose output's initial weights; 0 = the camera starts at rest
    c.model.dtype = "float32"  # compute: "float32" or "bfloat16"; parameters, geometry, losses, statistics: float32
    c.model.init = ""  # a workdir to start from; empty = random
    c.model.transfer = ()  # which parts: ("encoder", "segmentation/decoder <- depth_decoder")

    # tasks.<name>.make_loss
    c.task = ConfigDict()
    c.task.name = "supervised"

    # weights of the loss terms: modules of sde_seg_jax/losses
    c.losses = ConfigDict()
    c.losses.cross_entropy = 1.0

    # training.optimizers.make_optimizer
    c.optim = ConfigDict()
    c.optim.name = "sgd"
    c.optim.learning_rate = 1e-2  # decoders and everything else
    c.optim.module_rates = ConfigDict({"encoder": 1e-3})  # absolute rates by module
    c.optim.frozen = ()  # modules without updates
    c.optim.momentum = 0.9
    c.optim.weight_decay = 5e-4  # added to the gradient before the momentum, as PyTorch does
    c.optim.clip = 10.0  # norm of all gradients together

    # training.schedules.<name>
    c.schedule = ConfigDict({"name": "step", "milestones": (30000,), "gamma": 0.1})

    # training.loop.train
    c.train = ConfigDict()
    c.train.steps = 40000  # updates
    c.train.log_every = 50  # steps between lines of metrics.jsonl
    c.train.save_every = 1000  # steps between checkpoints
    c.train.eval_every = 5000  # steps between validations; 0 = never
    c.train.picture_every = 1000  # steps between TensorBoard pictures; 0 = never
    c.train.collapse_after = 2000  # depth: from this step on a constant disparity map stops the run

    # cli.evaluate
    c.eval = ConfigDict()
    c.eval.batch_size = 4
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
        }
    )
    c.losses = ConfigDict({"photometric": 1.0, "smoothness": 1e-3})
    c.optim.name = "adam"
    c.optim.learning_rate = 1e-4
    c.optim.module_rates = ConfigDict()
    c.optim.weight_decay = 0.0
    c.optim.clip = None
    c.schedule = ConfigDict({"name": "step", "milestones": (160000,), "gamma": 0.1})
    c.data.batch_size = 4
    c.train.steps = 300000
    return c


def semi_supervised(c):
    """Changes a configuration to semi-supervised training with DepthMix (METHOD 3)."""
    c.task = ConfigDict(
        {
            "name": "semi_supervised",
            "consistency": 1.0,  # weight of the loss on mixed images
            "mix": "depth",  # or class, depth_threshold, depth_histogram, none
            "mix_margin": 0.03,  # of the disparity, which is normalised per image
            "confidence": 0.968,  # teacher probability from which a pixel counts as confident
            "teacher": "batch_stats",  # how the teacher normalises; or ema_stats
            "jitter_probability": 0.8,
            "jitter_strength": 0.25,
            "blur_probability": 0.5,
            "per_batch": False,  # True: one draw of the augmentation a batch, as published
            "depth_checkpoint": "",  # workdir of a depth run: the frozen network that gives disparity for mixing
        }
    )
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
