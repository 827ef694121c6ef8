# Test the wheels in dist, installed into a new virtual environment.
# Usage: test_wheels.sh PYTHON TESTS...
set -eu
python=$1
shift
ls dist/*.whl >/dev/null 2>&1 || { echo "dist has no wheel. Run make build first." >&2; exit 1; }

venv=.cache/wheels-$("$python" -c 'import platform; print(platform.python_version())')
rm -rf "$venv"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
    --group test --find-links dist dist/*.whl 'pulumi-upstash-rotation[cli,emulator]'

"$venv/bin/python" - <<'CHECK'
import importlib.util, sys
for package in ("pulumi_upstash_rotation", "upstash_emulator"):
    origin = importlib.util.find_spec(package).origin
    if not origin.startswith(sys.prefix):
        sys.exit(f"{package} comes from {origin}, not from a wheel")
    print(f"testing {origin}", flush=True)
CHECK
redis=$("$venv/bin/python" tools/redis_with_tls.py)
PATH="${redis:+$redis:}$PATH" exec "$venv/bin/python" -m pytest --numprocesses auto --dist worksteal "$@"
