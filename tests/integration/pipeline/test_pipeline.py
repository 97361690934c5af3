"""Whatever happens in whatever order: the pipeline does what the specification says.

A run of it that is always the same is part of every test run. To look farther, at other examples
each time: `PIPELINE_EXAMPLES=2000 make test ARGS='tests/integration/pipeline -k agrees'`; what
fails is made as short as it can be, and printed as a test.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from services.orders import store
from services.runtime.parking.gate import ParkingGate
from services.runtime.partitions.partition_state import PartitionState
from services.runtime.partitions.positions import Positions
from tests.integration.pipeline.commands import Command
from tests.integration.pipeline.draws import COMMAND_PARTITIONS, PARTITIONS
from tests.integration.pipeline.machine import Pipeline

EXAMPLES = int(os.environ.get("PIPELINE_EXAMPLES", "0"))
FIXED = settings(
    max_examples=40,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
PATIENT = settings(FIXED, max_examples=200)
"""It ends with the first that fails."""
LONG = settings(
    FIXED, max_examples=max(EXAMPLES, 1), derandomize=False, phases=[Phase.generate, Phase.shrink]
)


@pytest.mark.slow
@pytest.mark.timeout(0 if EXAMPLES else 300)
def test_pipeline_agrees_with_the_model(stage):
    run_state_machine_as_test(lambda: Pipeline(stage), settings=LONG if EXAMPLES else FIXED)


def test_report_waits_on_where_its_number_is_replaced_before_its_turn(stage):
    """The order that took the number woke the report, and lost the number to the next command."""
    state = Pipeline(stage)
    report = Command("report", "", "", "T200", (0, 9))
    attached = [Command("attach_to_delivery", "3", "", number) for number in ("T200", "T100")]
    state.begin(owners=("A",) * PARTITIONS, contents=[(report,), *((each,) for each in attached)])
    state.deliver("A", 10, None)
    state.publish([(Command("upsert", "3", "Ulm"),)], is_named=True, elsewhere=0)

    state.deliver("A", 10, None)

    state.agrees()
    assert [key for key, _ in state.model.waiting.values()] == ["T200"]
    assert [number for number, _ in state.run(stage.facts()).owners] == ["T100"]
    state.pass_months(0)
    state.agrees()
    assert state.model.refused[COMMAND_PARTITIONS, 0, 0] == "number_not_owned"


async def no_partition(*_):
    return []


def allow_gaps(state, first_offset):
    return state.next_offset is not None and first_offset >= state.next_offset


# Each mechanism, what stands in its place once it is taken out, and what the machine then finds.
WITHOUT = {
    "the fence": (Positions, "lock", no_partition, "two meanings|went back|parked"),
    "the gap check": (PartitionState, "continues", allow_gaps, "stepped on over"),
    "the parking queue": (ParkingGate, "_is_held", lambda *_: False, "parked|events"),
    "dedup": (store, "_unpack", lambda _: (), "two meanings|outcomes|events"),
}


@pytest.mark.parametrize("mechanism", WITHOUT)
def test_pipeline_without_a_mechanism_contradicts_the_model(mechanism, stage, monkeypatch):
    owner, name, instead, found = WITHOUT[mechanism]
    monkeypatch.setattr(owner, name, instead)
    with pytest.raises(AssertionError, match=found):
        run_state_machine_as_test(lambda: Pipeline(stage), settings=PATIENT)
