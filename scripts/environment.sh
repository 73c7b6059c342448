#!/bin/sh
# Make the Python environment that `make demo` and `make test` use, and say what is being done.
#
#   scripts/environment.sh FOLDER LOCK [COMMAND]
#
# FOLDER is the environment, LOCK the file with its pinned packages, COMMAND what to run again after a failure. `PYTHON` may name
# the Python to use. An environment counts as made only when the last step has left its stamp: what an interruption or an error
# left behind is removed at the next start. It is not built elsewhere and moved, because its programs hold the path of the folder.
set -u

folder=$1
lock=$2
again=${3:-make demo}
stamp=$folder/.made-$(basename "$lock")
unfinished=$folder.unfinished
log=$folder.log
python=$folder/bin/python

stop() {
    printf '%s\n' "$@" >&2
    exit 1
}

# The lock for tests holds all that the other one does: either stamp is enough to run.
is_current() {
    [ ! -e "$unfinished" ] && [ -x "$python" ] || return 1
    for made in "$stamp" "$folder/.made-requirements-dev.lock"; do
        [ -e "$made" ] && [ ! "$lock" -nt "$made" ] && [ ! pyproject.toml -nt "$made" ] && return 0
    done
    return 1
}

# Whether the folder is one that may be removed: it is not there, empty, an environment, or one that was begun here.
is_ours() {
    [ ! -e "$folder" ] || [ -e "$unfinished" ] || [ -e "$folder/pyvenv.cfg" ] || [ -z "$(ls -A "$folder")" ]
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" && { found=$PYTHON; return; }
        version=$("$PYTHON" -c 'import platform; print(platform.python_version())' 2>/dev/null) ||
            stop "$PYTHON cannot be run as Python. Name a Python 3.11 or newer: $again PYTHON=/path/to/python3"
        stop "SARA needs Python 3.11 or newer, and $PYTHON is $version. Name another: $again PYTHON=/path/to/python3"
    fi
    for found in python3.11 python3.12 python3.13 python3.14 python3 python; do
        is_new_enough "$found" && return
    done
    for old in python3 python; do
        version=$("$old" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue
        stop "SARA needs Python 3.11 or newer, and the Python of this machine is $version." \
            "Install a newer one beside it (Debian, Ubuntu: sudo apt-get install python3.11 python3.11-venv; macOS: brew install python)," \
            "then run: $again   or name it: $again PYTHON=/path/to/python3.11"
    done
    stop "SARA needs Python 3.11 or newer, and this machine has no Python." \
        "Install it (Debian, Ubuntu: sudo apt-get install python3 python3-venv; Fedora: sudo dnf install python3; macOS: brew install python)," \
        "then run: $again"
}

# What a failed step was about, in a sentence; its own words are in the log.
explain() {
    if grep -qiE 'no space left' "$log"; then
        stop "The disk is full. Free some space (about 300 MB), then run: $again"
    fi
    if grep -qiE 'name resolution|name or service not known|nodename nor servname|network is unreachable|connection refused|timed out|newconnectionerror|connection aborted|connection reset|max retries|proxyerror|no route to host|certificate verify failed|sslerror' "$log"; then
        stop "The package index cannot be reached: there is no network, or a proxy or firewall stands in the way (pip reads HTTPS_PROXY and pip.conf)." \
            "What was downloaded is kept. Once the network is there, run: $again" "The last words of pip (all of them: $log):" "$(tail -n 2 "$log")"
    fi
    stop "$1" "The last words of it (all of them: $log):" "$(tail -n 5 "$log")" "Then run: $again"
}

make_environment() {
    find_python
    echo "1/3 Making a Python environment in $folder with $found (some seconds) …"
    rm -rf "$folder"
    if ! "$found" -m venv "$folder" >"$log" 2>&1 || ! "$python" -m pip --version >>"$log" 2>&1; then
        version=$("$found" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        rm -rf "$folder"
        if grep -qiE 'ensurepip|no module named .?(venv|pip)|python3[.0-9]*-venv' "$log"; then
            stop "This Python ($found) cannot make environments: a package of it is missing." \
                "Install it (Debian, Ubuntu: sudo apt-get install python$version-venv), then run: $again"
        fi
        explain "A Python environment could not be made with $found."
    fi
}

# pip's own output goes to the log; of it one line is shown for every tenth package.
install_packages() {
    count=$(grep -cE '^[A-Za-z0-9].*==' "$lock")
    echo "2/3 Downloading and installing $count packages (about a minute the first time) …"
    {
        PYTHONUNBUFFERED=1 "$python" -m pip --disable-pip-version-check --retries 2 install --progress-bar off --require-hashes -r "$lock" 2>&1
        echo "ended with $?"
    } | {
        number=0
        status=1
        : >"$log"
        while IFS= read -r line; do
            case $line in
                "ended with "*) status=${line#ended with } && break ;;
                "Collecting "* | "Processing "* | "Requirement already satisfied"*)
                    number=$((number + 1))
                    [ $((number % 10)) -ne 0 ] || echo "    $number of about $count"
                    ;;
                "Installing collected packages"*) echo "    installing what was downloaded" ;;
            esac
            printf '%s\n' "$line" >>"$log"
        done
        exit "$status"
    } || explain "The packages could not be installed."
}

install_sara() {
    echo "3/3 Installing SARA itself (some seconds) …"
    "$python" -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation -e . >"$log" 2>&1 ||
        explain "SARA itself could not be installed."
}

is_current && exit 0
# Half-made ones are removed; so is one without pip, which an older set-up may have left, unless Python can add it.
if [ -e "$unfinished" ] || { ! "$python" -m pip --version && ! "$python" -m ensurepip; } >/dev/null 2>&1; then
    is_ours || stop "$folder is there, and is no Python environment: remove it, or name another: $again VENV=FOLDER"
    : >"$unfinished" || exit 1
    make_environment
else
    : >"$unfinished" || exit 1
fi
install_packages
install_sara
: >"$stamp"
rm -f "$unfinished" "$log"
