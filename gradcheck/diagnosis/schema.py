"""The JSON Schema (draft 2020-12) that a command's JSON validates against."""

from gradcheck.base.calls import public
from gradcheck.base.loading import named
from gradcheck.base.schema import Schema, document_schema
from gradcheck.errors import GradcheckError, did_you_mean, shown
from gradcheck.spec.options.option import canonical

#: Commands whose JSON output has a schema, and the reports that it is made from: loaded when they are asked for.
REPORTS = {
    "simulate": "gradcheck.diagnosis.report:Report",
    "probe": "gradcheck.diagnosis.report:Report",
    "rate": "gradcheck.learning_rate.report:RateReport",
    "clip-demo": "gradcheck.training.report:DemoReport",
    "transfer": "gradcheck.parametrization.report:TransferReport",
    "theory": "gradcheck.mean_field.report:TheoryReport",
    "compare": "gradcheck.sweep.report:ComparisonRecord",
    "verify": "gradcheck.checking.verification:Verification",
    "diagnose": "gradcheck.logs.report:LogReport",
    "baseline": "gradcheck.diagnosis.regression:Regression",
}

#: What the documents say that they are of, and what is typed for them, where that isn't the name in the table.
WRITTEN_BY = {"baseline": ("compare", "compare --baseline")}


@public
def json_schema(command: str = "simulate") -> Schema:
    """Return the schema of a command's JSON output; ``baseline`` is what ``--baseline`` makes of two reports.

    Raises
    ------
    GradcheckError
        There is no such command, or its JSON output has no schema.
    """
    command = canonical(command, REPORTS)
    if command not in tuple(REPORTS):
        meant = did_you_mean(command, REPORTS, cutoff=0.6)
        raise GradcheckError(f"schema {shown(command)} is unknown; {meant}allowed: {', '.join(REPORTS)}")
    written_by, typed = WRITTEN_BY.get(command, (command, command))
    return document_schema(named(REPORTS[command]), written_by) | {"title": f"gradcheck {typed}"}
