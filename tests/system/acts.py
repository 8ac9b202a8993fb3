"""The things that people do, with perdure and with plain git, and what each must lead to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from perdure.actions.history import branch as branching
from perdure.actions.history import merge as merge_action
from perdure.actions.history import restore, revert, tag, undo
from perdure.actions.history.rewind import plan_rewind, rewind
from perdure.actions.memory import exclude
from perdure.actions.turns import answers, correct
from perdure.actions.turns.answers import AnswerPlan, ChosenAnswer
from perdure.actions.turns.correct import Corrected
from perdure.actions.workspace import Workspace
from perdure.errors import Problem
from perdure.git.operations.operation import Operation
from tests.system.book import Said, WrongTalk
from tests.system.life import TEXTS, VOICE, YOU, Idle, Life, Pick

ACTS: dict[str, tuple[int, Callable[[Life, Pick], None]]] = {}
"""Name, how often beside the others, and what it does."""


def _act(name: str, weight: int = 2) -> Callable[[Callable[[Life, Pick], None]], None]:
    def keep(action: Callable[[Life, Pick], None]) -> None:
        ACTS[name] = (weight, action)

    return keep


def _no_merge(life: Life) -> None:
    if life.merging:
        raise Idle


def _other(life: Life, pick: Pick) -> str:
    names = sorted(name for name in life.want if name != life.refs_then.branch)
    if not names:
        raise Idle
    return names[pick(len(names))]


def _some_commit(life: Life, pick: Pick) -> str:
    """A commit of a branch whose talk is known."""
    shown = life.git("rev-list", "--branches", "-n", "60").split()
    known = sorted(commit for commit in shown if commit in life.books)
    return known[pick(len(known))]


# Talk


@_act("turn", 12)
def _turn(life: Life, pick: Pick) -> None:
    name = life.fresh("m")
    text = f"{name} {TEXTS[pick(len(TEXTS))]}".strip()
    if not life.speak(text, f"answer to {name}: {TEXTS[pick(len(TEXTS))]}"):
        raise WrongTalk("nothing was saved")


@_act("message without an answer", 2)
def _unanswered(life: Life, _: Pick) -> None:
    life.speak(life.fresh("unanswered"), "")


@_act("resume", 2)
def _resume(life: Life, pick: Pick) -> None:
    if pick(3):
        life.speak(life.fresh("left alone"), "")
    life.speak("", f"late answer {life.fresh('r')}")


@_act("new conversation", 1)
def _new(life: Life, _: Pick) -> None:
    assert life.session is not None
    life.session.new_conversation()


@_act("reopen", 2)
def _reopen(life: Life, _: Pick) -> None:
    life.close()
    life.check()
    life.open()


# Steering


@_act("rewind", 3)
def _rewind(life: Life, pick: Pick) -> None:
    place = (
        f"@-{pick(9)}" if pick(2) else sorted(life.ids)[pick(len(life.ids))] if life.ids else "@"
    )

    def do(workspace: Workspace) -> Operation:
        plan = plan_rewind(workspace, place, life.fresh("line"))
        done = rewind(workspace, plan)
        if (
            plan.target.turn is not None
            and str(plan.target.turn) not in life.books[plan.target.commit]
        ):
            raise WrongTalk(f"rewound to {plan.target}, which lacks that turn")
        life.went(plan.name, plan.target.commit)
        return done

    life.steer(do)


@_act("branch", 1)
def _branch(life: Life, pick: Pick) -> None:
    name, at = life.fresh("branch"), _some_commit(life, pick) if pick(2) else ""
    life.steer(lambda workspace: branching.begin_branch(workspace, name, at))
    life.went(name, at or life.refs_then.tip)


@_act("switch", 3)
def _switch(life: Life, pick: Pick) -> None:
    name = _other(life, pick)
    life.steer(lambda workspace: branching.check_out_branch(workspace, name))


@_act("drop a branch", 1)
def _drop(life: Life, pick: Pick) -> None:
    name = _other(life, pick)
    life.steer(
        lambda workspace: branching.remove_branch(workspace, branching.plan_drop(workspace, name))
    )
    del life.want[name]


@_act("tag", 1)
def _tag(life: Life, pick: Pick) -> None:
    name, note = life.fresh("tag"), "a note" if pick(2) else ""
    commit = _some_commit(life, pick)
    life.steer(lambda workspace: tag.tag(workspace, name, commit, note))


@_act("drop a tag", 1)
def _untag(life: Life, pick: Pick) -> None:
    tags = life.git("tag").split()
    if not tags:
        raise Idle
    name = tags[pick(len(tags))]
    life.steer(lambda workspace: tag.remove_tag(workspace, name))


@_act("merge", 3)
def _merge(life: Life, pick: Pick) -> None:
    name = _other(life, pick)

    joined = life.steer(lambda workspace: merge_action.merge_branch(workspace, name))
    theirs = life.refs_then.branches[name]
    if joined.conflicts:
        life.merging = theirs
    elif joined.operation is not None:
        life.merged(theirs)


def _settle(life: Life, path: str, *, by_hand: bool) -> None:
    """A file in conflict as it is on this side."""
    if by_hand:
        (life.path / path).write_bytes(life.git("show", f"HEAD:{path}").encode())
        life.git("add", path)
    else:
        life.steer(lambda workspace: merge_action.take_side(workspace, path, "ours"))


@_act("end the merge", 4)
def _end_merge(life: Life, pick: Pick) -> None:
    if not life.merging:
        raise Idle
    way = pick(4)
    if way == 0:
        life.steer(merge_action.abort)
    elif way == 1:
        life.git("merge", "--abort")
    else:
        opened = life.steer(merge_action.unfinished_merge)
        if opened is None:
            raise WrongTalk("the open merge is gone")
        for conflict in opened.merge.conflicts:
            _settle(life, conflict.path, by_hand=way != 2)
        if way == 2:
            life.steer(merge_action.conclude)
        else:
            life.git("commit", "-q", "--no-edit")
        life.merged(life.merging)
    life.merging = ""


@_act("undo", 4)
def _undo(life: Life, _: Pick) -> None:
    wanted, then = life.then_before, life.refs_then
    life.steer(lambda workspace: undo.perform_step(workspace, undo.next_undo(workspace)))
    _moved_by_walk(life)
    if wanted is not None and life.refs().without_ops() != wanted.without_ops():
        raise WrongTalk(f"undo led to {life.refs()}, not to {wanted}")
    life.undone.append(then)


@_act("redo", 3)
def _redo(life: Life, _: Pick) -> None:
    wanted = life.undone.pop() if life.undone else None
    life.steer(lambda workspace: undo.perform_step(workspace, undo.next_redo(workspace)))
    _moved_by_walk(life)
    if wanted is not None and life.refs().without_ops() != wanted.without_ops():
        raise WrongTalk(f"redo led to {life.refs()}, not to {wanted}")


@_act("several undos, as many redos", 2)
def _there_and_back(life: Life, pick: Pick) -> None:
    """Back as far as it goes, up to a number, and forth again: nothing is as it was not before."""
    _no_merge(life)
    then, taken = life.refs_then, 0
    for _ in range(2 + pick(6)):
        try:
            life.steer(lambda workspace: undo.perform_step(workspace, undo.next_undo(workspace)))
        except Problem as problem:
            life.refused[f"one of several undos: {type(problem).__name__}"] += 1
            break
        taken += 1
        for tip in life.refs().branches.values():
            if tip not in life.books:
                raise WrongTalk(f"undo led to {tip}, where nothing was ever said")
    for _ in range(taken):
        life.steer(lambda workspace: undo.perform_step(workspace, undo.next_redo(workspace)))
    if life.refs().without_ops() != then.without_ops():
        raise WrongTalk(f"{taken} undos and redos led from {then} to {life.refs()}")
    life.before = life.then_before if not taken else None


def _moved_by_walk(life: Life) -> None:
    """After undo and redo every branch stands at a commit that was a tip, or between two."""
    now, then = life.refs(), life.refs_then
    for name in then.branches.keys() - now.branches.keys():
        del life.want[name]
    for name, tip in now.branches.items():
        if then.branches.get(name) != tip:
            if tip not in life.books:
                raise WrongTalk(f"{name} was led to {tip}, where nothing was ever said")
            life.went(name, tip)


@_act("revert a persona change", 2)
def _revert(life: Life, pick: Pick) -> None:
    changes = life.git("log", "--no-merges", "--format=%H", "-n", "9", "--", "persona").split()
    commit, then = changes[pick(len(changes))], ("keep", "new", "aside")[pick(3)]
    life.steer(
        lambda workspace: revert.revert(workspace, revert.plan_revert(workspace, commit), then)
    )


@_act("restore the persona", 2)
def _restore(life: Life, pick: Pick) -> None:
    commits = life.git("rev-list", "-n", "20", "HEAD").split()
    commit = commits[pick(len(commits))]
    life.steer(
        lambda workspace: restore.restore(
            workspace, restore.plan_restore(workspace, ["persona"], commit, "then")
        )
    )


@_act("set aside", 2)
def _aside(life: Life, pick: Pick) -> None:
    turn, back = _turn_here(life, pick), bool(pick(2))
    life.steer(
        lambda workspace: exclude.exclude_turns(
            workspace, exclude.plan_exclude(workspace, turn, back=back)
        )
    )


def _turn_here(life: Life, pick: Pick, *, answered: bool = False) -> str:
    """One of the last turns of the branch that is checked out."""
    book = life.want.get(life.refs_then.branch, {})
    here = [t for t in sorted(book) if not t.endswith("/0") and (book[t].replies or not answered)]
    if not here:
        raise Idle
    return here[-1 - pick(min(8, len(here)))]


@_act("regenerate", 4)
def _regenerate(life: Life, pick: Pick) -> None:
    assert life.session is not None
    turn = _turn_here(life, pick) if pick(2) else ""
    stream = life.session.regenerate(turn, life.fresh("again") if turn else "")
    life.hear(stream, "", f"again {life.fresh('r')}: {TEXTS[pick(len(TEXTS))]}", again=True)


@_act("choose", 3)
def _choose(life: Life, pick: Pick) -> None:
    if pick(2):
        ACTS["regenerate"][1](life, pick)
    book = life.want.get(life.refs().branch, {})
    turns = sorted(turn for turn, said in book.items() if said.others)
    if not turns:
        raise Idle
    turn, chance, name = turns[pick(len(turns))], pick(4), life.fresh("chosen")

    def do(workspace: Workspace) -> tuple[AnswerPlan, ChosenAnswer]:
        rows = [row for row in answers.list_answers(workspace, turn).rows if not row.shown]
        number = rows[chance % len(rows)].number
        plan = answers.plan_choice(workspace, turn, number, name)
        return plan, answers.choose(workspace, plan)

    plan, chosen = life.steer(do)
    shown = tuple(r.text for r in plan.answer.replies)
    if chosen.commit in life.books:
        # The branch begins where that answer stood when it was given: nothing is committed.
        there = life.books[chosen.commit].get(str(chosen.turn))
        if there is None or there.replies != shown:
            raise WrongTalk(f"chose {shown}, and {there} stands")
        life.went(chosen.branch, chosen.commit)
        return
    book = life.before_commit(chosen.branch, chosen.commit)
    was = book.get(str(chosen.turn))
    others = was.others | set(was.replies) if was else frozenset()
    if not others & set(shown):
        # The branch begins where the answer was given; now it has the words of a later correction.
        others -= {old for text in shown for old in life.former_words(text)}
    book[str(chosen.turn)] = Said(was.message if was else None, shown, others - set(shown))
    life.ids.setdefault(str(chosen.turn), "chosen")
    life.now_stands(chosen.branch, chosen.commit, book)


@_act("edit a message", 2)
def _edit_message(life: Life, pick: Pick) -> None:
    turn, text = _turn_here(life, pick), f"corrected {life.fresh('m')} {TEXTS[pick(len(TEXTS))]}"
    done = life.steer(
        lambda workspace: correct.correct(workspace, correct.find_words(workspace, turn), text)
    )
    branch = life.refs_then.branch
    book = life.before_commit(branch, done.commit)
    book[turn] = replace(book[turn], message=text)
    life.now_stands(branch, done.commit, book)


@_act("edit a reply", 2)
def _edit_reply(life: Life, pick: Pick) -> None:
    turn = _turn_here(life, pick, answered=True)
    text = f"corrected {life.fresh('r')} {TEXTS[pick(len(TEXTS))]}"

    def do(workspace: Workspace) -> Corrected:
        return correct.correct(workspace, correct.find_words(workspace, turn, reply=True), text)

    done = life.steer(do)
    branch = life.refs_then.branch
    book = life.before_commit(branch, done.commit)
    old, *rest = book[turn].replies
    book[turn] = replace(book[turn], replies=(text, *rest))
    life.reworded[text] = old
    life.now_stands(branch, done.commit, book)


@_act("edit another answer", 2)
def _edit_other(life: Life, pick: Pick) -> None:
    """One that does not stand."""
    book = life.want.get(life.refs_then.branch, {})
    turns = sorted(turn for turn, said in book.items() if said.others)
    if not turns:
        raise Idle
    turn, chance = turns[pick(len(turns))], pick(4)
    text = f"corrected {life.fresh('o')} {TEXTS[pick(len(TEXTS))]}"

    def do(workspace: Workspace) -> tuple[str, Corrected]:
        rows = [row for row in answers.list_answers(workspace, turn).rows if not row.shown]
        number = rows[chance % len(rows)].number
        words = correct.find_words(workspace, turn, reply=True, answer=number)
        return words.text, correct.correct(workspace, words, text)

    old, done = life.steer(do)
    branch = life.refs_then.branch
    book = life.before_commit(branch, done.commit)
    book[turn] = replace(book[turn], others=book[turn].others - {old} | {text})
    life.reworded[text] = old
    life.now_stands(branch, done.commit, book)


# By hand and with git


def _edit(life: Life, pick: Pick) -> str:
    path = (VOICE, YOU)[pick(2)]
    file = life.path / path
    old = file.read_text() if file.exists() and path == YOU else "# Voice\n"
    if "<<<<<<<" in old:
        raise Idle
    file.write_text(f"{old}\n- {life.fresh('line')}.\n")
    return path


@_act("edit the persona", 3)
def _edit_persona(life: Life, pick: Pick) -> None:
    _no_merge(life)
    path = _edit(life, pick)
    life.edited[path] = (life.path / path).read_text()


@_act("git commit", 3)
def _commit(life: Life, pick: Pick) -> None:
    _no_merge(life)
    path = _edit(life, pick)
    life.edited.pop(path, None)
    if pick(2):
        life.git("commit", "-q", "-m", "persona: by hand", "--", path)
    else:
        life.git("commit", "-qam", "persona: all by hand")
    if not life.refs().branch:
        life.books[life.refs().tip] = life.books[life.refs_then.tip]


@_act("git branch", 1)
def _git_branch(life: Life, pick: Pick) -> None:
    name, commit = life.fresh("git"), _some_commit(life, pick)
    life.git("branch", name, commit)
    life.went(name, commit)


@_act("git switch", 2)
def _git_switch(life: Life, pick: Pick) -> None:
    _no_merge(life)
    life.git("switch", "-q", _other(life, pick), check=False)  # edits may be in the way


@_act("git switch --detach", 1)
def _git_detach(life: Life, pick: Pick) -> None:
    _no_merge(life)
    life.git("switch", "-q", "--detach", _some_commit(life, pick), check=False)


@_act("git merge", 1)
def _git_merge(life: Life, pick: Pick) -> None:
    _no_merge(life)
    name = _other(life, pick)
    if life.edited or not life.refs_then.branch:
        raise Idle
    theirs = life.refs_then.branches[name]
    life.git("merge", "-q", "--no-edit", name, check=False)
    if (life.path / ".git" / "MERGE_HEAD").exists():
        conflicts = life.git("diff", "--name-only", "--diff-filter=U").split()
        if any(path.startswith(("conversations/", "alternatives/")) for path in conflicts):
            # Words corrected on both sides: `perdure merge` goes by turns, git by lines.
            life.git("merge", "--abort")
            return
        life.merging = theirs
    else:
        life.merged(theirs)


@_act("git revert", 1)
def _git_revert(life: Life, pick: Pick) -> None:
    _no_merge(life)
    changes = life.git("log", "--min-parents=1", "--max-parents=1", "--format=%H", "-n", "5",
                       "--", "persona").split()  # fmt: skip
    if life.edited or not life.refs_then.branch or not changes:
        raise Idle
    life.git("revert", "--no-edit", changes[pick(len(changes))], check=False)
    life.git("revert", "--abort", check=False)


@_act("git reset", 1)
def _git_reset(life: Life, pick: Pick) -> None:
    """The last commit is thrown away on purpose: what only it had may go."""
    _no_merge(life)
    then = life.refs_then
    parent = life.git("rev-parse", "-q", "--verify", "HEAD^1", check=False).strip()
    if life.edited or not then.branch or parent not in life.books:
        raise Idle
    life.git("reset", "-q", "--hard", parent)
    life.saved &= set(life.git("rev-list", "--all").split())
    life.went(then.branch, parent)


@_act("git stash", 1)
def _stash(life: Life, _: Pick) -> None:
    _no_merge(life)
    life.git("stash", "-q")
    if life.git("stash", "list"):
        life.git("stash", "pop", "-q")


@_act("git gc", 1)
def _gc(life: Life, pick: Pick) -> None:
    life.git("gc", "-q", "--prune=now" if pick(2) else "--auto")


@_act("git repack", 1)
def _repack(life: Life, _: Pick) -> None:
    life.git("repack", "-q", "-adf")


@_act("git pack-refs", 1)
def _pack_refs(life: Life, _: Pick) -> None:
    life.git("pack-refs", "--all")
