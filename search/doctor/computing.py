"""Whether torch can be imported, and whether each device computes: asked in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from search.devices import DeviceSlot, has_gpu_driver, parse_slot
from search.doctor.child import Ended, Teller, consult, telling
from search.doctor.diagnosis import Diagnosis, failing, fine, size, warning

SECONDS: Final = 60.0
SIDE: Final = 512
"""Of the matrices that are multiplied."""

INSTALL: Final = "install torch as requirements/torch.txt says, or a worker's image; the service alone needs no torch"


def look_at_torch(environment: Mapping[str, str], *, seconds: float = SECONDS) -> Iterator[Diagnosis]:
    """Import torch, and let the CPU and every CUDA device compute something."""
    found = list(_ask("torch", "torch", environment, seconds))
    yield from found
    if any(each.level == "fail" for each in found):
        return
    yield from _ask("cpu", "cpu", environment, seconds)
    devices: Any = found[0].figures.get("devices", [])
    for index in range(len(devices)):
        slot = DeviceSlot("cuda", index)
        chosen = {**environment, **slot.environment(environment)}
        yield from _ask(slot.name, slot.name, chosen, seconds)


def _ask(check: str, what: str, environment: Mapping[str, str], seconds: float) -> Iterator[Diagnosis]:
    for told in consult("search.doctor.computing", [what], environment, seconds=seconds):
        match told:
            case Diagnosis():
                yield told
            case Ended(how=how) if how:
                yield _broken(check, told)
            case _:
                pass


def _broken(check: str, ended: Ended) -> Diagnosis:
    what = ended.during.doing if ended.during else "the start of Python"
    todo = (
        INSTALL if check == "torch" else f"leave {check} out, and look at its driver: nvidia-smi, and the system's log"
    )
    return failing(check, f"a process that was at {what} {ended.how}", todo, detail=ended.said)


def main() -> None:
    teller, (what,) = telling()
    teller.begin(what, "the import of torch")
    if what == "torch":
        _import_torch(teller)
    else:
        teller.tell(_compute(teller, parse_slot(what)))


def _import_torch(teller: Teller) -> None:
    try:
        import torch  # noqa: PLC0415  in this process only
    except Exception as error:  # noqa: BLE001  a broken installation may raise anything
        sentence = f"torch cannot be imported: {type(error).__name__}: {error}"
        teller.tell(failing("torch", sentence, INSTALL))
        return
    teller.begin("torch", "the search for CUDA devices")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    figures: dict[str, Any] = {
        "version": torch.__version__,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda,
        "devices": [torch.cuda.get_device_name(index) for index in range(count)],
    }
    said = f"torch {torch.__version__} is imported; {figures['capability']}, {figures['threads']} threads"
    if count == 0 and has_gpu_driver():
        todo = "install the build of torch for this driver's CUDA (see nvidia-smi), and look at CUDA_VISIBLE_DEVICES"
        built = "without CUDA" if torch.version.cuda is None else f"for CUDA {torch.version.cuda}"
        teller.tell(
            warning("torch", f"{said}; there is a driver, but torch, built {built}, sees no device", todo, **figures)
        )
        return
    teller.tell(fine("torch", f"{said}, {count or 'no'} CUDA device{'s' * (count != 1)}", **figures))


def _compute(teller: Teller, slot: DeviceSlot) -> Diagnosis:
    """Multiply on the device and compare with the CPU in double precision; train a step as well."""
    import torch  # noqa: PLC0415  in this process only

    place = torch.device("cpu") if slot.kind == "cpu" else torch.device("cuda", 0)
    name = slot.name if slot.kind == "cuda" else "cpu"
    teller.begin(name, f"a multiplication on {name}")
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(SIDE, SIDE, generator=generator) for _ in range(2))
    weight = left.to(place).requires_grad_()
    product = weight @ right.to(place)
    torch.autograd.backward(product.sum())
    exact = left.double() @ right.double()
    slope = right.double().sum(dim=1).expand(SIDE, SIDE)
    gradient = weight.grad if weight.grad is not None else torch.full_like(weight, torch.nan)
    apart = max(_apart(product, exact), _apart(gradient, slope))
    figures: dict[str, Any] = {"error": apart}
    said = f"{name} computes"
    if slot.kind == "cuda":
        free, total = torch.cuda.mem_get_info(place)
        figures |= {"free_bytes": free, "total_bytes": total}
        said = f"{torch.cuda.get_device_name(place)} computes, {size(free)} of {size(total)} are free"
    if not apart < 1e-2:
        return failing(
            name,
            f"{name} computes wrongly: a product of matrices is off by {apart:.1e} of its size",
            f"do not train on {name}: look for other builds of torch, and for errors of its memory (nvidia-smi -q)",
            **figures,
        )
    if slot.kind == "cuda" and figures["free_bytes"] < figures["total_bytes"] / 10:
        return warning(name, said, "stop what else uses the device: see nvidia-smi", **figures)
    return fine(name, said, **figures)


def _apart(found: Any, exact: Any) -> float:
    found = found.detach().cpu().double()
    return float((found - exact).abs().max() / exact.abs().max())


if __name__ == "__main__":
    main()
