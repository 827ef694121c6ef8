# Make the virtual environment with everything that the demo, the tests and the checks need.
# Usage: make_venv.sh PYTHON FOLDER
set -eu
python=$1 venv=$2

if [ -z "$python" ]; then
    echo "Python 3.10 or newer is needed; install it, or name it: make PYTHON=/path/to/python3" >&2
    exit 1
fi
echo "Preparing Python packages in $venv ($("$python" --version)) ..." >&2
rm -rf "$venv"
if command -v uv >/dev/null 2>&1; then
    # --seed: the engine's Python language host asks pip which packages are installed.
    uv venv --quiet --seed --no-project --python "$python" "$venv"
    uv pip install --quiet --compile-bytecode --python "$venv/bin/python" --constraint constraints.txt \
        --group dev --editable '.[emulator]'
else
    if ! "$python" -m venv "$venv" 2>/dev/null; then
        echo "$python has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt --group dev --editable '.[emulator]'
fi

# The engine would take a distribution named pulumi-* for the SDK of a plugin and try to download that
# plugin at every run; pulumi-plugin.json tells it not to. It looks beside installed packages only,
# where an editable one has no files.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$site/pulumi_upstash_rotation"
ln -sf "$PWD/provider/pulumi_upstash_rotation/pulumi-plugin.json" "$site/pulumi_upstash_rotation/"
