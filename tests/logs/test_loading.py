import subprocess
import sys


def test_reading_a_report_needs_no_engine():
    code = "import sys, gradcheck.logs.report; print([name for name in sys.modules if 'engine' in name])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
