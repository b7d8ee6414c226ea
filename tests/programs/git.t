#!/bin/sh
# git: a generated history is imported, cloned, packed again and checked.
# shellcheck source=tests/programs/lib.sh
. "${0%/*}/lib.sh"
setup git git

# Neither the user's settings nor the clock may reach the result.
HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
export HOME GIT_CONFIG_NOSYSTEM GIT_TERMINAL_PROMPT

make_history() { # COMMITS
    awk -v commits="$1" 'BEGIN {
        for (c = 1; c <= commits; c++) {
            printf "commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 8\nchange\n\n", 1000000000 + c
            for (f = 0; f < 5; f++) {
                text = ""
                for (line = 0; line < 60; line++) text = text "line " line " of " (c * 31 + f * 7 + line) % 97 "\n"
                printf "M 644 inline folder%d/file%d\ndata %d\n%s\n", (c * f) % 9, (c * 13 + f) % 211, length(text), text
            }
        }
        print "done" }'
}

make_history "$(quick 500 2500)" >history
build() { # NAME [RUNNER]
    folder=$1
    shift
    git init -q --bare --initial-branch=main "$folder" && "$@" git -C "$folder" fast-import --quiet --done <history &&
        "$@" git clone -q --no-local "file://$work/$folder" "$folder-clone" &&
        "$@" git -C "$folder-clone" -c pack.threads=2 gc --aggressive --quiet &&
        "$@" git -C "$folder-clone" fsck --full --strict &&
        "$@" git -C "$folder-clone" -c pack.threads=1 repack -adfq
}
state() {
    git -C "$1-clone" rev-list --all --objects --in-commit-order && git -C "$1-clone" ls-files -s &&
        git -C "$1-clone" status --porcelain && ls "$1-clone/.git/objects/pack"
}

ok "import, clone, gc, fsck, repack without emma" build plain
ok "import, clone, gc, fsck, repack with emma" build emma with_emma
ok "emma was loaded" was_loaded git
state plain >plain.state
state emma >emma.state
ok "same objects and packs" cmp plain.state emma.state
ok "history is there" [ "$(wc -l <emma.state)" -gt 1000 ]
same_run "log with patches" git -C plain-clone log -p --stat -C --follow -- folder0/file0
same_run "blame" git -C plain-clone blame -M -C folder0/file0
finish
