"""The built-in tasks as the service knows them, without torch."""

from __future__ import annotations

from typing import Final

from search.tasks.info import Option, TaskInfo, standard_options

DIGITS_TRAIN: Final = 1200
DIGITS_VALIDATION: Final = 297
DIGITS_TEST: Final = 300
DIGITS_BATCH: Final = 32
FASHION_VALIDATION: Final = 10_000
FASHION_TRAIN: Final = 60_000 - FASHION_VALIDATION
FASHION_BATCH: Final = 256
CIFAR_VALIDATION: Final = 10_000
CIFAR_TRAIN: Final = 50_000 - CIFAR_VALIDATION
CIFAR_BATCH: Final = 128
CANCER_TRAIN: Final = 352
CANCER_VALIDATION: Final = 108
CANCER_TEST: Final = 109
CANCER_BATCH: Final = 32
DIABETES_TRAIN: Final = 256
DIABETES_VALIDATION: Final = 93
DIABETES_TEST: Final = 93
DIABETES_BATCH: Final = 16
CHAR_CONTEXT: Final = 64
CHAR_TRAIN: Final = 16_384
CHAR_VALIDATION: Final = 1024
CHAR_TEST: Final = 1024
CHAR_BATCH: Final = 32
QUADRATIC_TRAIN: Final = 2048
QUADRATIC_BATCH: Final = 16

DIGITS_STANDARD: Final = standard_options(batch_size=DIGITS_BATCH, train_examples=DIGITS_TRAIN, classes=10)

DIGITS_MLP: Final = TaskInfo(
    name="digits-mlp",
    description="Handwritten digits of 8×8 pixels (scikit-learn), a multilayer perceptron 64-64-64-10 with ReLU.",
    metrics={"val_loss": "minimize", "val_accuracy": "maximize"},
    updates_per_epoch=DIGITS_TRAIN // DIGITS_BATCH,
    default_epochs=20,
    options={
        "hidden": Option(type="integer", default=64, low=4, high=1024, description="units of each hidden layer"),
        **DIGITS_STANDARD,
    },
    train_examples=DIGITS_TRAIN,
    batch_size=DIGITS_BATCH,
)

DIGITS_CNN: Final = TaskInfo(
    name="digits-cnn",
    description="Handwritten digits of 8×8 pixels (scikit-learn), two convolutions, one pooling, one linear layer.",
    metrics={"val_loss": "minimize", "val_accuracy": "maximize"},
    updates_per_epoch=DIGITS_TRAIN // DIGITS_BATCH,
    default_epochs=10,
    options={
        "channels": Option(type="integer", default=8, low=2, high=128, description="channels of the first convolution"),
        **DIGITS_STANDARD,
    },
    train_examples=DIGITS_TRAIN,
    batch_size=DIGITS_BATCH,
)

FASHION_MNIST_LENET: Final = TaskInfo(
    name="fashion-mnist-lenet",
    description=(
        "Clothing of 28×28 pixels (Fashion-MNIST, the operator's files), LeNet with ReLU and maximum pooling as in "
        "Dive into Deep Learning; 10,000 of the training images are kept for validation."
    ),
    metrics={"val_loss": "minimize", "val_accuracy": "maximize"},
    updates_per_epoch=FASHION_TRAIN // FASHION_BATCH,
    default_epochs=30,
    options={
        "width": Option(
            type="number", default=1.0, low=0.25, high=16, description="multiplies channels and hidden units"
        ),
        **standard_options(batch_size=FASHION_BATCH, train_examples=FASHION_TRAIN, classes=10),
    },
    train_examples=FASHION_TRAIN,
    batch_size=FASHION_BATCH,
)

CIFAR10_RESNET: Final = TaskInfo(
    name="cifar10-resnet",
    description=(
        "Colour pictures of 32×32 pixels (CIFAR-10, the operator's files), a residual network with BatchNorm, by "
        "default ResNet-20; 10,000 of the training images are kept for validation."
    ),
    metrics={"val_loss": "minimize", "val_accuracy": "maximize"},
    updates_per_epoch=CIFAR_TRAIN // CIFAR_BATCH,
    default_epochs=30,
    options={
        "channels": Option(type="integer", default=16, low=4, high=256, description="channels of the first stage"),
        "blocks": Option(type="integer", default=3, low=1, high=18, description="residual blocks of each of 3 stages"),
        "augmentation": Option(type="boolean", default=True, description="crop and mirror the training images"),
        **standard_options(batch_size=CIFAR_BATCH, train_examples=CIFAR_TRAIN, classes=10),
    },
    train_examples=CIFAR_TRAIN,
    batch_size=CIFAR_BATCH,
)

BREAST_CANCER: Final = TaskInfo(
    name="breast-cancer",
    description="Malignant or benign, from 30 numbers (scikit-learn), a multilayer perceptron 30-32-32-2 with ReLU.",
    metrics={"val_loss": "minimize", "val_accuracy": "maximize"},
    updates_per_epoch=CANCER_TRAIN // CANCER_BATCH,
    default_epochs=30,
    options={
        "hidden": Option(type="integer", default=32, low=2, high=1024, description="units of each hidden layer"),
        **standard_options(batch_size=CANCER_BATCH, train_examples=CANCER_TRAIN, classes=2),
    },
    train_examples=CANCER_TRAIN,
    batch_size=CANCER_BATCH,
)

DIABETES: Final = TaskInfo(
    name="diabetes",
    description=(
        "Progression of a disease, from 10 numbers (scikit-learn), a multilayer perceptron 10-32-32-1 with ReLU; "
        "squared error, where 1 is that of the mean."
    ),
    metrics={"val_loss": "minimize", "val_r2": "maximize"},
    updates_per_epoch=DIABETES_TRAIN // DIABETES_BATCH,
    default_epochs=20,
    options={
        "hidden": Option(type="integer", default=32, low=2, high=1024, description="units of each hidden layer"),
        **standard_options(batch_size=DIABETES_BATCH, train_examples=DIABETES_TRAIN),
    },
    train_examples=DIABETES_TRAIN,
    batch_size=DIABETES_BATCH,
)

CHAR_GPT: Final = TaskInfo(
    name="char-gpt",
    description=(
        "The next character of Python's standard library, as the worker's own Python has it, from the 64 before; a "
        "transformer."
    ),
    metrics={"val_loss": "minimize", "val_accuracy": "maximize"},
    updates_per_epoch=CHAR_TRAIN // CHAR_BATCH,
    default_epochs=2,
    options={
        "channels": Option(
            type="integer", default=64, choices=(32, 64, 96, 128), description="of each place; 16 for each head"
        ),
        "layers": Option(type="integer", default=2, low=1, high=4, description="blocks of attention and perceptron"),
        **standard_options(batch_size=CHAR_BATCH, train_examples=CHAR_TRAIN),
    },
    train_examples=CHAR_TRAIN,
    batch_size=CHAR_BATCH,
)

NOISY_QUADRATIC: Final = TaskInfo(
    name="noisy-quadratic",
    description="A quadratic with noisy gradients and a known optimum; the loss is the exact distance to the best one.",
    metrics={"val_loss": "minimize"},
    updates_per_epoch=QUADRATIC_TRAIN // QUADRATIC_BATCH,
    default_epochs=20,
    options={
        "dimension": Option(type="integer", default=64, low=1, high=4096, description="number of weights"),
        "condition": Option(
            type="number", default=100.0, low=1, high=1e6, description="largest curvature, 1, over the smallest"
        ),
        "noise": Option(type="number", default=1.0, low=0, high=1000, description="deviation of a training row"),
        # a subset would have another optimum
        "batch_size": standard_options(batch_size=QUADRATIC_BATCH, train_examples=QUADRATIC_TRAIN)["batch_size"],
    },
    train_examples=QUADRATIC_TRAIN,
    batch_size=QUADRATIC_BATCH,
)

INFOS: Final = (
    DIGITS_MLP,
    DIGITS_CNN,
    FASHION_MNIST_LENET,
    CIFAR10_RESNET,
    BREAST_CANCER,
    DIABETES,
    CHAR_GPT,
    NOISY_QUADRATIC,
)
