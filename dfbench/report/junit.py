"""A certificate as JUnit XML, for the test reports of continuous integration."""

from __future__ import annotations

from xml.etree import ElementTree

from dfbench import wording
from dfbench.outcome import Certificate, Finding, SubjectReport
from dfbench.outcome.coverage import HARMS
from dfbench.report import labels


def render(certificate: Certificate) -> str:
    """A suite a subject, a case a claim; declared failures and skips are skipped cases.

    A finding that is inconclusive is a failure of type "inconclusive", as it is for the exit
    status; what the certificate is not for is a skipped case.
    """
    root = ElementTree.Element("testsuites", name="dfbench", time=f"{certificate.seconds:.3f}")
    for report in certificate.subjects:
        root.append(_suite(report))
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(report: SubjectReport) -> ElementTree.Element:
    deciding = labels.counts(f for f in report.findings if report.decides(f))
    bad = deciding["fail"] + deciding["inconclusive"]
    numbers = labels.counts(report.findings)
    suite = ElementTree.Element(
        "testsuite",
        name=wording.clean(labels.label(report)),
        tests=str(len(report.findings)),
        failures=str(bad),
        errors="0",
        skipped=str(len(report.findings) - numbers["pass"] - bad),
        time=f"{report.seconds:.3f}",
    )
    for finding in report.findings:
        suite.append(_case(report, finding))
    return suite


def _case(report: SubjectReport, finding: Finding) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        classname=wording.clean(labels.label(report)),
        name=wording.clean(finding.claim),
        time=f"{finding.seconds:.3f}",
    )
    status = labels.status(finding)
    if status in ("fail", "inconclusive") and not report.decides(finding):
        touched = HARMS[finding.harm] if finding.harm else ""
        message = wording.clean(f"{status}, and not asked for: it touches {touched}")
        ElementTree.SubElement(case, "skipped", message=message)
    elif status in ("fail", "inconclusive"):
        failure = ElementTree.SubElement(case, "failure", type=status)
        failure.set("message", wording.clean(finding.why or labels.evidence(finding) or status))
        failure.text = wording.clean(labels.text(finding))
    elif status == "expected":
        message = wording.clean(f"expected failure: {finding.expected}")
        ElementTree.SubElement(case, "skipped", message=message)
    elif status == "skip":
        ElementTree.SubElement(case, "skipped", message=wording.clean(finding.why or "skip"))
    return case
