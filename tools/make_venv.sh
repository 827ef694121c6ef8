# Make the virtual environment with everything that the demo, the tests and the checks need.
# Usage: make_venv.sh PYTHON FOLDER
set -eu
python=$1 venv=$2

if [ -z "$python" ]; then
    echo "make needs Python 3.10 or newer. Install it, or run make PYTHON=/path/to/python3" >&2
    exit 1
fi
echo "Preparing Python packages in $venv ($("$python" --version)) ..." >&2
rm -rf "$venv"
if command -v uv >/dev/null 2>&1; then
    # --seed: the engine's Python language host asks pip which packages are installed.
    uv venv --quiet --seed --no-project --python "$python" "$venv"
    uv pip install --quiet --compile-bytecode --python "$venv/bin/python" --constraint constraints.txt \
        --group dev --editable '.[cli]' --editable ./emulator
else
    if ! "$python" -m venv "$venv" 2>/dev/null; then
        echo "$python has no venv module. On Debian and Ubuntu run apt-get install python3-venv" >&2
        exit 1
    fi
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt --group dev --editable '.[cli]' --editable ./emulator
fi

# The engine treats a distribution named pulumi-* as the SDK of a plugin. It would try to download that
# plugin in every run. pulumi-plugin.json prevents this. The engine looks for the file only in the folder of
# installed packages. An editable package has no files there, so this script adds a link.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$site/pulumi_upstash_rotation"
ln -sf "$PWD/provider/pulumi_upstash_rotation/pulumi-plugin.json" "$site/pulumi_upstash_rotation/"
