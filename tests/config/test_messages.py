# ruff: noqa: E501 - messages stand here as they are printed
"""Whole messages: one bad scenario or command line each, with everything that is said about it."""

from __future__ import annotations

import pytest

from yoorec.errors import ConfigError

CASES = [
    pytest.param(
        ("scene: home", "scene: home\nslat: 3"),
        [],
        (
            "scenarios/home.yaml: slat: 'slat' is not accepted here\n"
            "  nearest:  slate\n"
            "  accepted: data, event_weights, exposure, fit, merge, profile, ranker, replay, scene, seed, serve, session_gap, slate, store, triggers, variants"
        ),
        id="unknown-top-key",
    ),
    pytest.param(
        ("neighbors: 9", "neighbours: 9"),
        [],
        (
            "scenarios/home.yaml: triggers.co.neighbours: 'neighbours' is not accepted here\n"
            "  nearest:  neighbors\n"
            "  accepted: damping, fields, half_life, limit, neighbors, timeout, use"
        ),
        id="unknown-trigger-key",
    ),
    pytest.param(
        None,
        ["triggers.co.neighbours=3"],
        (
            "command line: triggers.co.neighbours: 'neighbours' is not accepted here\n"
            "  nearest:  neighbors\n"
            "  accepted: damping, fields, half_life, limit, neighbors, timeout, use"
        ),
        id="unknown-key-on-the-command-line",
    ),
    pytest.param(
        None,
        ["triggers.co.damping.user=true"],
        (
            "command line: triggers.co.damping.user: 'user' is not accepted here\n"
            "  nearest:  users\n"
            "  accepted: power, users"
        ),
        id="unknown-nested-key",
    ),
    pytest.param(
        None,
        ["fit.cut=0.5"],
        (
            "command line: fit.cut: 'cut' is not accepted here\n  accepted: engine, rank_cut, rank_requests, spark, threads"
        ),
        id="unknown-key-of-fit",
    ),
    pytest.param(
        None,
        ["serve.prot=80"],
        (
            "command line: serve.prot: 'prot' is not accepted here\n"
            "  nearest:  port\n"
            "  accepted: allow_time, deadlines, host, max_batch, max_body, max_k, max_queue, max_session, port, workers"
        ),
        id="unknown-key-of-serve",
    ),
    pytest.param(
        None,
        ["exposure.backfill.from_=hot"],
        (
            "command line: exposure.backfill.from_: 'from_' is not accepted here\n"
            "  nearest:  from\n"
            "  accepted: from, id, use"
        ),
        id="python-name-of-a-reserved-key",
    ),
    pytest.param(
        None,
        ["triggers.hot.limit=many"],
        (
            "command line: triggers.hot.limit: 'many' is text, not a whole number\n"
            "  accepted: a whole number, at least 1"
        ),
        id="text-for-number",
    ),
    pytest.param(
        None,
        ["triggers.hot.limit='5'"],
        ("command line: triggers.hot.limit: '5' is text, not a whole number\n  accepted: a whole number, at least 1"),
        id="quoted-number",
    ),
    pytest.param(
        None,
        ["scene=5"],
        ("command line: scene: 5 is a whole number, not text\n  accepted: text"),
        id="number-for-text",
    ),
    pytest.param(
        ("by: author", "by: true"),
        [],
        (
            "scenarios/home.yaml: exposure.spread.by: true is a truth value, not the name of an item column\n"
            "  accepted: the name of an item column"
        ),
        id="true-for-text",
    ),
    pytest.param(
        None,
        ["slate=2.5"],
        ("command line: slate: 2.5 is a number, not a whole number\n  accepted: a whole number, at least 1"),
        id="fraction-for-whole",
    ),
    pytest.param(
        None,
        ["seed=true"],
        ("command line: seed: true is a truth value, not a whole number\n  accepted: a whole number, at least 0"),
        id="true-for-number",
    ),
    pytest.param(
        None,
        ["exposure.spread.by=[a]"],
        (
            'command line: exposure.spread.by: ["a"] is a list, not the name of an item column\n'
            "  accepted: the name of an item column"
        ),
        id="list-for-text",
    ),
    pytest.param(
        None,
        ["triggers.co.fields=title"],
        ("command line: triggers.co.fields: 'title' is text, not a list of text\n  accepted: a list of text"),
        id="text-for-list",
    ),
    pytest.param(
        None,
        ["triggers.co.fields=[title,3]"],
        ("command line: triggers.co.fields.1: 3 is a whole number, not text\n  accepted: text"),
        id="number-in-list",
    ),
    pytest.param(
        None,
        ["triggers.hot.limit={a: 1}"],
        (
            'command line: triggers.hot.limit: {"a": 1} is a mapping, not a whole number\n'
            "  accepted: a whole number, at least 1"
        ),
        id="mapping-for-number",
    ),
    pytest.param(
        None,
        ["slate=null"],
        ("command line: slate: null is not accepted here\n  accepted: a whole number, at least 1"),
        id="null-for-number",
    ),
    pytest.param(
        None,
        ["event_weights=play"],
        (
            "command line: event_weights: 'play' is text, not a mapping of text to numbers\n"
            "  accepted: a mapping of text to numbers, at least 0"
        ),
        id="text-for-mapping",
    ),
    pytest.param(
        None,
        ["merge=rrf"],
        (
            "command line: merge: 'rrf' is no mapping\n"
            "  accepted: a mapping with use: quota, round_robin, rrf\n"
            "  try:      merge.use=rrf"
        ),
        id="text-for-component",
    ),
    pytest.param(
        None,
        ["replay=fast"],
        (
            "command line: replay: 'fast' is no mapping\n"
            "  accepted: baseline, batch, cut, gates, mask, metrics, protocol, resamples, slices, threads, truth"
        ),
        id="text-for-settings",
    ),
    pytest.param(
        None,
        ["triggers=hot"],
        ("command line: triggers: 'hot' is no mapping\n  accepted: a mapping of names to triggers"),
        id="text-for-triggers",
    ),
    pytest.param(
        None,
        ["exposure=drop_seen"],
        ("command line: exposure: 'drop_seen' is no list\n  accepted: a list of rules such as {use: drop_seen}"),
        id="text-for-rules",
    ),
    pytest.param(
        ("  - {use: drop_seen}", "  - drop_seen"),
        [],
        (
            "scenarios/home.yaml: exposure.1: 'drop_seen' is no mapping\n"
            "  accepted: a mapping with use: backfill, drop_seen, spread\n"
            "  try:      exposure.1.use=drop_seen"
        ),
        id="text-for-a-rule",
    ),
    pytest.param(
        None,
        ["triggers.hot.limit=0"],
        ("command line: triggers.hot.limit: 0 is out of range\n  accepted: a whole number, at least 1"),
        id="out-of-range",
    ),
    pytest.param(
        None,
        ["triggers.co.damping.power=-1"],
        ("command line: triggers.co.damping.power: -1 is out of range\n  accepted: a number, at least 0"),
        id="out-of-range-float",
    ),
    pytest.param(
        None,
        ["merge.share.co=1.5"],
        ("command line: merge.share.co: 1.5 is out of range\n  accepted: a number, above 0, at most 1"),
        id="share-out-of-range",
    ),
    pytest.param(
        None,
        ["replay.cut=1.5"],
        (
            "command line: replay.cut: 1.5 is out of range\n"
            "  accepted: a number, above 0, at most 1; or a date such as 2022-05-01"
        ),
        id="cut-out-of-range",
    ),
    pytest.param(
        None,
        ["replay.metrics=[]"],
        ("command line: replay.metrics: [] is out of range\n  accepted: a list of text, 1 or more of them"),
        id="empty-metrics",
    ),
    pytest.param(
        None,
        ["serve.port=99999"],
        ("command line: serve.port: 99999 is out of range\n  accepted: a whole number, at least 0, at most 65535"),
        id="port",
    ),
    pytest.param(
        None,
        ["replay.truth=nxt"],
        ("command line: replay.truth: 'nxt' is not accepted\n  nearest:  next\n  accepted: next, rest"),
        id="literal",
    ),
    pytest.param(
        None,
        ["triggers.hot.bound=wilsn"],
        ("command line: triggers.hot.bound: 'wilsn' is not accepted\n  nearest:  wilson\n  accepted: wilson, mean"),
        id="literal-2",
    ),
    pytest.param(
        None,
        ["triggers.hot.half_life=12"],
        (
            "command line: triggers.hot.half_life: 12 is not a duration\n"
            "  accepted: a duration such as 90s, 30m, 12h or 7d"
        ),
        id="duration-without-unit",
    ),
    pytest.param(
        None,
        ["session_gap=30min"],
        (
            "command line: session_gap: '30min' is not a duration\n"
            "  accepted: a duration such as 90s, 30m, 12h or 7d, above 0"
        ),
        id="duration-unknown-unit",
    ),
    pytest.param(
        None,
        ["triggers.hot.timeout=0s"],
        (
            "command line: triggers.hot.timeout: '0s' is out of range\n"
            "  accepted: a duration such as 90s, 30m, 12h or 7d, above 0; or null"
        ),
        id="zero-duration",
    ),
    pytest.param(
        None,
        ["merge.share.hot=0.7"],
        ("command line: merge: shares add up to more than 1"),
        id="config's-own-check",
    ),
    pytest.param(
        None,
        ["event_weights.play=0"],
        ('command line: event_weights: {"play": 0} counts no event as a play\n  accepted: at least one weight above 0'),
        id="no-play",
    ),
    pytest.param(
        ("by: author", ""),
        [],
        ("scenarios/home.yaml: exposure.spread.by: is not given\n  accepted: the name of an item column"),
        id="missing-key",
    ),
    pytest.param(
        None,
        ["data={use: files}"],
        ("command line: data.path: is not given\n  accepted: a path"),
        id="missing-path",
    ),
    pytest.param(
        None,
        ["scene=../up"],
        (
            "command line: scene: '../up' can't be a scene's name\n"
            "  accepted: a letter, then letters, digits, _ and - in any number"
        ),
        id="scene's-name",
    ),
    pytest.param(
        ("  co: {", "  a/b: {use: hot}\n  co: {"),
        [],
        (
            "scenarios/home.yaml: triggers.a/b: 'a/b' can't be a trigger's name\n"
            "  accepted: a letter, then letters, digits, _ and - in any number"
        ),
        id="trigger's-name",
    ),
    pytest.param(
        ("use: coplay", "use: coply"),
        [],
        (
            "scenarios/home.yaml: triggers.co.use: no trigger 'coply' is installed\n"
            "  nearest:  coplay\n"
            "  accepted: coplay, hot"
        ),
        id="unknown-component",
    ),
    pytest.param(
        None,
        ["merge.use=blend"],
        ("command line: merge.use: 'blend' is a ranker, not a merge\n  accepted: quota, round_robin, rrf"),
        id="component-of-another-kind",
    ),
    pytest.param(
        None,
        ["triggers.text={use: text}"],
        (
            "command line: triggers.text.use: no trigger 'text' is installed\n"
            "  accepted: coplay, hot\n"
            "  try:      pip install yoorec-text"
        ),
        id="known-plugin-missing",
    ),
    pytest.param(
        None,
        ["triggers.x={use: broken}"],
        (
            "command line: triggers.x.use: 'broken' can't be had: unknown ? is installed but can't be used: ModuleNotFoundError: No module named 'nosuchmodule_of_yoorec'\n"
            "  accepted: coplay, hot"
        ),
        id="plugin-that-fails-to-import",
    ),
    pytest.param(
        ("{use: hot, limit: 50}", "{limit: 50}"),
        [],
        ("scenarios/home.yaml: triggers.hot.use: is not given\n  accepted: coplay, hot"),
        id="use-missing",
    ),
    pytest.param(
        None,
        ["merge.use=null"],
        ("command line: merge.use: null is not accepted here\n  accepted: quota, round_robin, rrf"),
        id="use-null",
    ),
    pytest.param(
        None,
        ["merge.use=3"],
        ("command line: merge.use: 3 is a whole number, not text\n  accepted: quota, round_robin, rrf"),
        id="use-number",
    ),
    pytest.param(
        None,
        ["triggers.htt.limit=5"],
        (
            "command line: triggers.htt: there is no trigger 'htt' here\n"
            "  nearest:  hot\n"
            "  accepted: hot, co\n"
            "  try:      triggers.htt.use=TRIGGER to add one"
        ),
        id="no-such-trigger",
    ),
    pytest.param(
        None,
        ["exposure.backfil.from=co"],
        (
            "command line: exposure.backfil: there is no exposure rule 'backfil' here\n"
            "  nearest:  backfill\n"
            "  accepted: drop_seen, spread, backfill\n"
            "  try:      exposure.backfil.use=RULE to add one"
        ),
        id="no-such-rule",
    ),
    pytest.param(
        None,
        ["data=null"],
        ("command line: data: null switches the data source off, and a scenario needs one\n  accepted: demo, files"),
        id="data-off",
    ),
    pytest.param(
        None,
        ["profile=null"],
        ("command line: profile: null switches the profile store off, and a scenario needs one\n  accepted: sqlite"),
        id="profile-off",
    ),
    pytest.param(
        None,
        ["merge=null"],
        (
            "command line: merge: null switches the merge off, and a scenario needs one\n"
            "  accepted: quota, round_robin, rrf"
        ),
        id="merge-off",
    ),
    pytest.param(
        None,
        ["triggers.hot=null", "triggers.co=null", "merge.use=rrf", "exposure=[]"],
        ("command line: triggers: every trigger is switched off, so nothing would be recalled"),
        id="every-trigger-off",
    ),
    pytest.param(
        None,
        ["triggers=null", "merge.use=rrf", "exposure=[]"],
        ("command line: triggers: null is no mapping\n  accepted: a mapping of names to triggers"),
        id="triggers-null",
    ),
    pytest.param(
        None,
        ["triggers.co=null", "triggers.co.neighbors=3", "merge.use=rrf"],
        (
            "command line: triggers.co.neighbors: 'triggers.co' is switched off (null), so nothing can be set in it\n"
            "  try:      triggers.co.use=NAME"
        ),
        id="set-in-a-switched-off-trigger",
    ),
    pytest.param(
        ("share: {co: 0.5}", "share: {cp: 0.5}"),
        [],
        ("scenarios/home.yaml: merge.share.cp: 'cp' names no trigger of this scenario\n  accepted: hot, co"),
        id="share-of-no-trigger",
    ),
    pytest.param(
        ("from: hot", "from: hto"),
        [],
        (
            "scenarios/home.yaml: exposure.backfill.from: 'hto' names no trigger of this scenario\n"
            "  nearest:  hot\n"
            "  accepted: hot, co"
        ),
        id="from-no-trigger",
    ),
    pytest.param(
        None,
        ["triggers.co=null"],
        (
            "scenarios/home.yaml: merge.share.co: the trigger 'co' is switched off\n"
            "  accepted: hot\n"
            "  try:      ~merge.share.co"
        ),
        id="share-of-a-trigger-that-is-off",
    ),
    pytest.param(
        ("limit: 50", "limit: '${triggers.co.limt}'"),
        [],
        (
            "scenarios/home.yaml: triggers.hot.limit: '${triggers.co.limt}' points at 'triggers.co.limt', which is not set\n"
            "  nearest:  triggers.hot.limit"
        ),
        id="interpolation-to-nothing",
    ),
    pytest.param(
        ("limit: 50", "limit: '${triggers.co'"),
        [],
        (
            "scenarios/home.yaml: triggers.hot.limit: '${triggers.co' is no interpolation\n"
            "  accepted: ${KEY} or ${oc.env:NAME}; a plain ${ is written \\${"
        ),
        id="interpolation-broken",
    ),
    pytest.param(
        ("limit: 50", "limit: '${nowhere:1}'"),
        [],
        (
            "scenarios/home.yaml: triggers.hot.limit: '${nowhere:1}' can't be resolved: Unsupported interpolation type nowhere"
        ),
        id="interpolation-of-unknown-resolver",
    ),
    pytest.param(
        None,
        ["slate=${seed}", "seed=${slate}"],
        (
            "command line: slate: '${seed}' can't be resolved: Recursive interpolation detected\n"
            "command line: seed: '${slate}' can't be resolved: Recursive interpolation detected"
        ),
        id="interpolation-in-a-circle",
    ),
    pytest.param(
        None,
        ["scene=${oc.env:YOOREC_NO_SUCH}"],
        (
            "command line: scene: '${oc.env:YOOREC_NO_SUCH}' can't be resolved: Environment variable 'YOOREC_NO_SUCH' not found"
        ),
        id="interpolation-to-an-unset-variable",
    ),
    pytest.param(
        ("neighbors: 9", "fields: [a, '${b.c}']"),
        [],
        ("scenarios/home.yaml: triggers.co.fields.1: '${b.c}' points at 'b.c', which is not set"),
        id="interpolation-inside-a-list",
    ),
    pytest.param(
        ("by: author", "by: '???'"),
        [],
        ("scenarios/home.yaml: exposure.spread.by: must be given\n  try:      exposure.spread.by=VALUE"),
        id="must-be-given",
    ),
    pytest.param(
        None,
        ["triggers.hot.limit"],
        (
            "command line: triggers.hot.limit: can't be read as an override: missing EQUAL at '<EOF>'\n"
            "  accepted: KEY=VALUE, +KEY=VALUE, ~KEY or GROUP=OPTION"
        ),
        id="override-without-=",
    ),
    pytest.param(
        None,
        ["triggers.hot.limit = 5"],
        (
            "command line: triggers.hot.limit = 5: can't be read as an override: token recognition error at: ' '\n"
            "  accepted: KEY=VALUE, +KEY=VALUE, ~KEY or GROUP=OPTION"
        ),
        id="override-with-blanks",
    ),
    pytest.param(
        None,
        ["triggers.co.fields=[a"],
        (
            "command line: triggers.co.fields=[a: can't be read as an override: no viable alternative at input '[a'\n"
            "  accepted: KEY=VALUE, +KEY=VALUE, ~KEY or GROUP=OPTION"
        ),
        id="override-that-ends-early",
    ),
    pytest.param(
        None,
        ["=5"],
        ("command line: =5: names no key\n  accepted: KEY=VALUE, +KEY=VALUE, ~KEY or GROUP=OPTION"),
        id="override-without-key",
    ),
    pytest.param(
        None,
        ["scene=é"],
        (
            "command line: scene=é: can't be read as an override: token recognition error at: 'é'\n"
            "  accepted: KEY=VALUE, +KEY=VALUE, ~KEY or GROUP=OPTION\n"
            "  try:      scene=\"'é'\" if the value is text"
        ),
        id="override-with-odd-sign",
    ),
    pytest.param(
        None,
        ["triggers.hot.limit=1,2"],
        (
            "command line: triggers.hot.limit: '1,2' holds several values\n"
            "  accepted: one value\n"
            "  try:      triggers.hot.limit=[1,2] for a list, triggers.hot.limit=\"'1,2'\" for text, or -m to run each"
        ),
        id="several-values",
    ),
    pytest.param(
        None,
        ["triggers.hot.limit=range(1,3)"],
        (
            "command line: triggers.hot.limit: 'range(1,3)' holds several values\n"
            "  accepted: one value\n"
            "  try:      -m to run each"
        ),
        id="range",
    ),
    pytest.param(
        None,
        ["hydra.verbose=true"],
        (
            "command line: hydra.verbose: sets Hydra itself, which only a sweep uses\n"
            "  accepted: keys of the scenario\n"
            "  try:      -m hydra.verbose=true"
        ),
        id="hydra's-own",
    ),
    pytest.param(
        None,
        ["+triggers.hot.limit=5"],
        (
            "command line: triggers.hot.limit: '+' adds a key, but this one is already 50\n"
            "  try:      triggers.hot.limit=5"
        ),
        id="add-what-is-there",
    ),
    pytest.param(
        None,
        ["~triggers.hto"],
        ("command line: triggers.hto: there is nothing to remove\n  accepted: hot, co"),
        id="remove-what-is-not",
    ),
    pytest.param(
        None,
        ["~triggers.hot.limit=51"],
        ("command line: triggers.hot.limit: is 50, not 51, so it is not removed\n  try:      ~triggers.hot.limit"),
        id="remove-another-value",
    ),
    pytest.param(
        None,
        ["slate.more=5"],
        ("command line: slate.more: 'slate' is 10, so it holds no key 'more'"),
        id="set-below-a-number",
    ),
    pytest.param(
        None,
        ["merge.share={1: 0.5}"],
        ("command line: merge.share: a key must be text\n  try:      quote it to make it text"),
        id="number-as-a-key",
    ),
    pytest.param(
        None,
        ["data=dmo"],
        (
            "command line: data: there is no 'dmo' in the config group 'data'\n"
            "  nearest:  demo\n"
            "  accepted: demo, kuairand, movielens_100k, movielens_1m, movielens_latest_small, sessions, tables"
        ),
        id="no-such-option",
    ),
    pytest.param(
        None,
        ["data=dmo", "data.path=x"],
        (
            "command line: data: there is no 'dmo' in the config group 'data'\n"
            "  nearest:  demo\n"
            "  accepted: demo, kuairand, movielens_100k, movielens_1m, movielens_latest_small, sessions, tables"
        ),
        id="no-such-option,-with-a-key-of-it",
    ),
    pytest.param(
        None,
        ["dta/x=y"],
        ("command line: dta/x: there is no config group 'dta/x'\n  nearest:  data\n  accepted: data, yoorec"),
        id="no-such-group",
    ),
    pytest.param(
        None,
        ["dta@data=y"],
        ("command line: dta@data: there is no config group 'dta'\n  nearest:  data\n  accepted: data, yoorec"),
        id="no-such-group,-with-a-package",
    ),
    pytest.param(
        None,
        ["++data=demo"],
        (
            "command line: data: a config group can't be set with '++'\n"
            "  accepted: data=demo, or +data=demo where the scenario's defaults don't list it"
        ),
        id="group-with-++",
    ),
    pytest.param(
        None,
        ["+data=demo"],
        ("command line: data: a defaults list has 'data' already, so '+' can't add it\n  try:      data=demo"),
        id="group-twice",
    ),
    pytest.param(
        None,
        ["yoorec=base"],
        (
            "command line: yoorec: no defaults list has an entry 'yoorec' to choose for\n"
            "  accepted: data\n"
            "  try:      +yoorec=base"
        ),
        id="group-no-defaults-list-has",
    ),
    pytest.param(
        None,
        ["~data=files"],
        ("command line: ~data=files: no defaults list has an entry 'data: files' to remove\n  accepted: data: demo"),
        id="remove-a-choice-that-is-not",
    ),
    pytest.param(
        None,
        ["replay.metrics=[ndgc@10]"],
        (
            "command line: replay.metrics.0: no metric 'ndgc' is installed\n"
            "  nearest:  ndcg@10\n"
            "  accepted: coverage@K, hit_rate@K, mrr@K, ndcg@K, recall@K"
        ),
        id="unknown-metric",
    ),
    pytest.param(
        None,
        ["replay.metrics=[ndcg]"],
        (
            "command line: replay.metrics.0: 'ndcg' carries no cutoff\n"
            "  nearest:  ndcg@10\n"
            "  accepted: coverage@K, hit_rate@K, mrr@K, ndcg@K, recall@K"
        ),
        id="metric-without-cutoff",
    ),
    pytest.param(
        None,
        ["replay.metrics=[ndcg@0]"],
        (
            "command line: replay.metrics.0: 'ndcg@0': the cutoff '0' is no whole number above 0\n"
            "  nearest:  ndcg@10\n"
            "  accepted: coverage@K, hit_rate@K, mrr@K, ndcg@K, recall@K"
        ),
        id="metric-with-a-bad-cutoff",
    ),
    pytest.param(
        None,
        ["replay.gates=['ndcg@10 is good']"],
        (
            "command line: replay.gates.0: 'ndcg@10 is good' is not a gate\n"
            "  accepted: METRIC@K or p50_ms, p90_ms, p99_ms; one of >= > <= <; control or a number: ndcg@10 >= control"
        ),
        id="bad-gate",
    ),
    pytest.param(
        None,
        ["replay.gates=['ndgc@10 > control']"],
        (
            "command line: replay.gates.0: no metric 'ndgc' is installed\n"
            "  nearest:  ndcg@10\n"
            "  accepted: coverage@K, hit_rate@K, mrr@K, ndcg@K, recall@K, p50_ms, p90_ms, p99_ms"
        ),
        id="gate-with-an-unknown-metric",
    ),
    pytest.param(
        None,
        ["replay.gates=['ndcg@10 > best']"],
        (
            "command line: replay.gates.0: 'ndcg@10 > best' compares with 'best'\n"
            "  accepted: METRIC@K or p50_ms, p90_ms, p99_ms; one of >= > <= <; control or a number: ndcg@10 >= control"
        ),
        id="gate-against-a-word",
    ),
    pytest.param(
        None,
        ["replay.cut=yesterday"],
        (
            "command line: replay.cut: 'yesterday' is no date\n"
            "  accepted: a share of plays such as 0.9, or a date such as 2022-05-01T12:00:00"
        ),
        id="date-that-is-none",
    ),
    pytest.param(
        None,
        ["fit.rank_cut=0.95"],
        ("command line: fit.rank_cut: 0.95 is not before replay.cut, 0.9\n  accepted: a share below replay.cut"),
        id="cuts-out-of-order",
    ),
    pytest.param(
        ("scene: home", "scene: home\nvariants: {a: slate=5}"),
        [],
        (
            "scenarios/home.yaml: variants.a: 'slate=5' is no list of overrides\n"
            "  accepted: a mapping of names to lists of overrides, such as {longer: ['triggers.hot.limit=100']}"
        ),
        id="variant-that-is-no-list",
    ),
    pytest.param(
        ("scene: home", "scene: home\nvariants: [a]"),
        [],
        (
            'scenarios/home.yaml: variants: ["a"] is no mapping\n'
            "  accepted: a mapping of names to lists of overrides, such as {longer: ['triggers.hot.limit=100']}"
        ),
        id="variants-no-mapping",
    ),
    pytest.param(
        ("scene: home", "scene: home\nvariants: {control: []}"),
        [],
        ("scenarios/home.yaml: variants.control: 'control' is the scenario as it stands, so no variant is called so"),
        id="variant-called-control",
    ),
    pytest.param(
        ("scene: home", "scene: home\nvariants: {a: ['triggers.co.neighbours=5']}"),
        [],
        (
            "scenarios/home.yaml: variants.a: triggers.co.neighbours: 'neighbours' is not accepted here\n"
            "  nearest:  neighbors\n"
            "  accepted: damping, fields, half_life, limit, neighbors, timeout, use"
        ),
        id="variant-with-an-unknown-key",
    ),
    pytest.param(
        ("scene: home", "scene: home\nvariants: {a: ['triggers.co']}"),
        [],
        (
            "scenarios/home.yaml: variants.a: triggers.co: can't be read as an override: missing EQUAL at '<EOF>'\n"
            "  accepted: KEY=VALUE, +KEY=VALUE, ~KEY or GROUP=OPTION"
        ),
        id="variant-with-a-bad-override",
    ),
    pytest.param(
        ("scene: home", "scene: home\nvariants: {a: ['triggers.co=null']}"),
        [],
        (
            "scenarios/home.yaml: variants.a: merge.share.co: the trigger 'co' is switched off\n"
            "  accepted: hot\n"
            "  try:      ~merge.share.co"
        ),
        id="variant-that-breaks-another-key",
    ),
    pytest.param(
        ("scene: home", "scene: home\nvariants: {a: ['slate=1,2']}"),
        [],
        (
            "scenarios/home.yaml: variants.a: slate: '1,2' holds several values\n"
            "  accepted: one value\n"
            "  try:      slate=[1,2] for a list, slate=\"'1,2'\" for text"
        ),
        id="variant-with-several-values",
    ),
    pytest.param(
        ("scene: home", "scene: home\nslate: 3\nslate: 4"),
        [],
        ("scenarios/home.yaml: slate: set twice, on line 7 and on line 8"),
        id="duplicate-key",
    ),
    pytest.param(
        ("triggers:", "triggers:\n  hot: {use: coplay}"),
        [],
        ("scenarios/home.yaml: triggers.hot: set twice, on line 9 and on line 10"),
        id="duplicate-trigger",
    ),
    pytest.param(
        ("scene: home", "scene: [home"),
        [],
        (
            "scenarios/home.yaml: line 8, column 9: is not YAML: while parsing a flow sequence, expected ',' or ']', but got ':'"
        ),
        id="not-YAML",
    ),
    pytest.param(
        ("{use: drop_seen}", "{use: drop_seen, id: a}\n  - {use: drop_seen, id: a}"),
        [],
        ("scenarios/home.yaml: exposure: two rules have the id 'a'\n  try:      give one another id"),
        id="two-rules-with-one-id",
    ),
    pytest.param(
        ("yoorec/base", "yoorec/bas"),
        [],
        (
            "scenarios/home.yaml: defaults: 'yoorec/bas' is in no folder of the search path\n"
            "  nearest:  yoorec/base\n"
            "  accepted: yoorec/base"
        ),
        id="default-that-is-not-there",
    ),
    pytest.param(
        ("data: demo", "data: dmo"),
        [],
        (
            "scenarios/home.yaml: defaults: there is no 'dmo' in the config group 'data'\n"
            "  nearest:  demo\n"
            "  accepted: demo, kuairand, movielens_100k, movielens_1m, movielens_latest_small, sessions, tables"
        ),
        id="default-option-that-is-not-there",
    ),
    pytest.param(
        ("  - data: demo", "  - data: demo\n  - yoorec/base"),
        [],
        (
            "scenarios/home.yaml: defaults: 'yoorec/base' comes in a second time, and would undo what was set after the first\n"
            "  try:      remove 'yoorec/base' from one of the defaults lists"
        ),
        id="default-twice",
    ),
    pytest.param(
        ("  - yoorec/base\n  - data: demo\n  - _self_", "  yoorec/base"),
        [],
        (
            "scenarios/home.yaml: defaults: is not a list\n"
            "  accepted: a list such as [yoorec/base, {data: demo}, _self_]"
        ),
        id="defaults-no-list",
    ),
    pytest.param(
        ("  - data: demo", "  - data: 5"),
        [],
        (
            "scenarios/home.yaml: defaults: can't be read: Unsupported item value in defaults : int. Supported: string or list\n"
            "  accepted: a list such as [yoorec/base, {data: demo}, _self_]"
        ),
        id="defaults-with-a-bad-entry",
    ),
    pytest.param(
        ("  - data: demo", "  - data: demo\n  - _self_"),
        [],
        ("scenarios/home.yaml: defaults: can't be composed: Duplicate _self_ defined in home"),
        id="_self_-twice",
    ),
    pytest.param(
        None,
        ["triggers.co.half_life=[1]"],
        (
            "command line: triggers.co.half_life: [1] is not a duration\n"
            "  accepted: a duration such as 90s, 30m, 12h or 7d; or null"
        ),
        id="text-for-a-duration-or-null",
    ),
    pytest.param(
        ("yoorec/base", "home"),
        [],
        ("scenarios/home.yaml: defaults: goes in a circle: home -> home"),
        id="extends-itself",
    ),
    pytest.param(
        ("  - _self_", "  - _self_\n  - override dta: demo"),
        [],
        (
            "scenarios/home.yaml: defaults: no defaults list has an entry 'dta' to choose for\n"
            "  nearest:  data\n"
            "  accepted: data"
        ),
        id="override-of-what-is-not-there",
    ),
]


@pytest.mark.parametrize(("edit", "overrides", "expected"), CASES)
def test_whole_message(project, edit, overrides, expected):
    if edit is not None:
        project.change(*edit)
    assert project.message(*overrides) == expected


def test_all_problems_come_at_once(project):
    project.change("scene: home", "scene: home\nslat: 3\nseed: 1\nseed: 2")
    message = project.message("triggers.hot.limit=0", "merge.share.hto=0.1", "ranker.use=lr", "a b", "data.users=many")
    assert message == (
        "scenarios/home.yaml: seed: set twice, on line 8 and on line 9\n"
        "command line: a b: can't be read as an override: token recognition error at: ' '\n"
        "  accepted: KEY=VALUE, +KEY=VALUE, ~KEY or GROUP=OPTION\n"
        "scenarios/home.yaml: slat: 'slat' is not accepted here\n"
        "  nearest:  slate\n"
        "  accepted: data, event_weights, exposure, fit, merge, profile, ranker, replay, scene, seed, serve, session_gap, "
        "slate, store, triggers, variants\n"
        "command line: data.users: 'many' is text, not a whole number\n"
        "  accepted: a whole number\n"
        "command line: merge.share.hto: 'hto' names no trigger of this scenario\n"
        "  nearest:  hot\n"
        "  accepted: hot, co\n"
        "command line: ranker.use: no ranker 'lr' is installed\n"
        "  accepted: blend\n"
        "  try:      pip install yoorec-tf\n"
        "command line: triggers.hot.limit: 0 is out of range\n"
        "  accepted: a whole number, at least 1"
    )


def test_problems_are_facts_that_survive_pickling(project):
    import pickle

    with pytest.raises(ConfigError) as caught:
        project.load("slate=0")
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert again.problems == caught.value.problems
    assert (again.problems[0].file, again.problems[0].key) == ("command line", "slate")


def test_scenario_that_is_not_there(project):
    assert project.message(path="scenarios/hom.yaml") == (
        "scenarios/hom.yaml: there is no such file\n  nearest:  scenarios/home.yaml\n  accepted: home.yaml"
    )
    assert project.message(path="scenarios") == "scenarios: is a folder, not a scenario\n  accepted: home.yaml"
    assert project.message(path="lihgt").startswith("lihgt: no scenario of this name is shipped\n  nearest:  light\n")
    assert project.message(path="nowhere/x.yaml") == "nowhere/x.yaml: there is no such file"


def test_one_config_in_two_places(project):
    project.write("scenarios/data/mine.yaml", "use: demo\n")
    project.write("conf/data/mine.yaml", "use: demo\n")
    assert project.load().scene == "home"
    assert project.message("data=mine") == (
        "scenarios/data/mine.yaml: 'data/mine' is in two places, and one would hide the other: "
        "scenarios/data/mine.yaml and conf/data/mine.yaml\n  try:      rename or remove one of them"
    )


def test_local_file_may_not_hide_a_packaged_one(project):
    project.write("conf/data/demo.yaml", "use: demo\n")
    message = project.message()
    assert message.startswith("conf/data/demo.yaml: 'data/demo' is in two places, and one would hide the other: conf/")
    assert message.count("\n") == 1


def test_circle_through_another_scenario(project):
    project.write("scenarios/a.yaml", "defaults: [b, _self_]\n")
    project.write("scenarios/b.yaml", "defaults: [a, _self_]\n")
    assert project.message(path="scenarios/a.yaml").startswith(
        "scenarios/a.yaml: defaults: goes in a circle: a -> b -> a"
    )


def test_problem_in_a_file_of_the_search_path_names_that_file(project):
    project.write("conf/data/mine.yaml", "use: files\npath: 3\nuse: demo\n")
    assert project.message("data=mine") == (
        "conf/data/mine.yaml: use: set twice, on line 1 and on line 3\n"
        "conf/data/mine.yaml: data.path: 3 is a whole number, not a path\n"
        "  accepted: a path"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff\xfe", "scenarios/home.yaml: is not UTF-8 text: invalid start byte at byte 0"),
        (b"- a\n", "scenarios/home.yaml: holds no keys\n  accepted: a mapping of keys to values"),
        (b"a: 1\n---\nb: 2\n", "scenarios/home.yaml: line 2, column 1: is not YAML: "),
        (
            b"scene: !!python/name:os.system x\n",
            "scenarios/home.yaml: scene: 'x' can't be read as 'python/name:os.system'",
        ),
        (b"2: 3\n", "scenarios/home.yaml: a key must be text, found 2 (line 1)\n  try:      quote it to make it text"),
        (b"a: &b [*b]\n", "scenarios/home.yaml: a.0: an alias may not hold itself (line 1)"),
    ],
)
def test_file_that_is_no_scenario(project, content, expected):
    (project.folder / "scenarios/home.yaml").write_bytes(content)
    assert project.message().startswith(expected)
