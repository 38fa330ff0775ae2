"""Which devices may train a study."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from search.protocol import Device
from search.suiting import DeviceChoice
from tests.search.factories import a_request

GIB = 1 << 30
SMALL = Device(kind="cuda", memory_bytes=16 * GIB)
LARGE = Device(kind="cuda", memory_bytes=80 * GIB)
CORE = Device(kind="cpu", memory_bytes=200 * GIB)
UNKNOWN = Device(kind="cuda")


@pytest.mark.parametrize(
    "devices, rule",
    [
        ({"kinds": ["tpu"]}, "Input should be 'cpu', 'cuda' or 'other'"),
        ({"kinds": []}, "a study is trained on at least one kind of device, got none"),
        ({"memory_bytes_at_least": 0}, "greater than or equal to 1"),
        ({"kind": "cuda"}, "Extra inputs are not permitted"),
    ],
)
def test_a_choice_of_no_device_is_refused(devices: object, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        a_request(devices=devices)


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_a_limit_that_no_device_can_keep_is_refused(limit: int) -> None:
    with pytest.raises(ValidationError, match="trials_per_device"):
        a_request(trials_per_device=limit)


def test_a_study_that_names_no_device_is_trained_anywhere() -> None:
    assert a_request().devices.allows_all
    assert all(DeviceChoice().suits(device) for device in (SMALL, LARGE, CORE, UNKNOWN, None))


def test_a_study_that_names_kinds_is_trained_on_these() -> None:
    choice = DeviceChoice(kinds=("cuda",))
    assert [choice.suits(device) for device in (SMALL, UNKNOWN, CORE, None)] == [True, True, False, False]


def test_a_device_whose_memory_is_not_known_is_too_small() -> None:
    choice = DeviceChoice(memory_bytes_at_least=80 * GIB)
    assert [choice.suits(device) for device in (LARGE, CORE, SMALL, UNKNOWN, None)] == [True, True, False, False, False]


def test_a_choice_is_told_in_words() -> None:
    assert str(DeviceChoice(kinds=("cuda", "other"))) == "a device of kind cuda or other"
    assert str(DeviceChoice(memory_bytes_at_least=GIB * 3 // 2)) == "a device with at least 1.5 GiB of memory"
