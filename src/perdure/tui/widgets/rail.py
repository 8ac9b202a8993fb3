"""The rail: conversations by year, month and day, then branches and tags.

Moving over a conversation scrolls the transcript.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Tree

from perdure.companion.ids import ConversationId
from perdure.terminal.sanitise import sanitise

if TYPE_CHECKING:
    from textual.widgets.tree import TreeNode

    from perdure.terminal.glyphs import Glyphs
    from perdure.views.timeline import RefNames

Titles = Callable[[ConversationId], str]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A year or a month, and the conversations that lie in it. ``month``: 0 for a year."""

    year: int
    month: int
    conversations: tuple[ConversationId, ...]

    @property
    def key(self) -> tuple[int, int]:
        """Its key, whatever is in it."""
        return self.year, self.month

    @property
    def label(self) -> str:
        """Its label."""
        return f"{date(self.year, self.month, 1):%B}" if self.month else str(self.year)

    @property
    def count(self) -> int:
        """Its conversations."""
        return len(self.conversations)


@dataclass(frozen=True, slots=True)
class Heading:
    """The branches, or the tags, as a group that opens and closes."""

    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Named:
    """A branch or a tag."""

    name: str
    is_tag: bool = False
    is_current: bool = False


Entry = Stretch | ConversationId | Heading | Named


class Rail(Tree[Entry]):
    """Newest first. Titles are read when their row is drawn, months filled when they open."""

    BINDING_GROUP_TITLE = "Conversations"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", id="rail.down"),
        Binding("k", "cursor_up", "Up", id="rail.up"),
        Binding("left", "fold", "Close the group", id="rail.fold"),
        Binding("right", "unfold", "Open the group", id="rail.unfold"),
        Binding("3", "screen.timeline", "The timeline", id="rail.timeline"),
        Binding("5", "screen.memory", "Memory", id="rail.memory"),
        Binding("m", "merge", "Merge this branch into the current one", id="rail.merge"),
        Binding("slash", "screen.search", "Search all conversations", id="rail.search"),
        Binding("z", "screen.undo", "Undo your last act", id="rail.undo"),
        Binding("Z", "screen.redo", "Redo what was undone", id="rail.redo"),
    ]

    @dataclass
    class Previewed(Message):
        """The cursor rests on a conversation."""

        conversation: ConversationId

    @dataclass
    class Chosen(Message):
        """Enter: stay at this conversation."""

        conversation: ConversationId

    @dataclass
    class BranchChosen(Message):
        """Enter on a branch: go there."""

        name: str

    @dataclass
    class MergeWanted(Message):
        """Merge this branch; with no name, show the merge that is open."""

        name: str

    @dataclass
    class TagChosen(Message):
        """Enter on a tag: continue from there."""

        name: str

    def __init__(self, glyphs: Glyphs, *, widget_id: str | None = None) -> None:
        super().__init__("", id=widget_id)
        self.show_root = False
        self.show_guides = False
        self.guide_depth = 2
        self._glyphs = glyphs
        self._titles: Titles = lambda _conversation: ""
        self._known: dict[ConversationId, str] = {}
        self.names: RefNames | None = None
        self._folded = {"Tags"}
        """Groups that stay closed when the rail is filled again."""

    def fill(self, conversations: Sequence[ConversationId], titles: Titles, today: date) -> None:
        """Show these conversations, given oldest first; what is open and the cursor stay."""
        self._titles = titles
        self._known.clear()
        cursor = self.cursor_node.data if self.cursor_node is not None else None
        opened = {stretch.key for node, stretch in self._stretches() if node.is_expanded}
        self.clear()
        newest_first = list(reversed(conversations))
        for year, in_year in groupby(newest_first, key=lambda one: one.day.year):
            parent = self.root
            year_list = tuple(in_year)
            if year != today.year:
                stretch = Stretch(year, 0, year_list)
                parent = self.root.add(stretch.label, stretch, expand=stretch.key in opened)
            for month, in_month in groupby(year_list, key=lambda one: one.day.month):
                self._add_month(parent, Stretch(year, month, tuple(in_month)), opened)
        self.root.expand()
        newest = next(self._stretches(), None)
        if newest is not None:
            newest[0].expand()
            self._fill_stretch(*newest)
        if self.names is not None:
            self._fill_names(self.names)
        self._return_to(cursor)

    def _add_month(
        self, parent: TreeNode[Entry], stretch: Stretch, opened: Collection[tuple[int, int]]
    ) -> None:
        node = parent.add(stretch.label, stretch)
        if stretch.key in opened:
            node.expand()
            self._fill_stretch(node, stretch)

    def _fill_stretch(self, node: TreeNode[Entry], stretch: Stretch) -> None:
        """Show a month's conversations, once."""
        if not node.children:
            for conversation in stretch.conversations:
                node.add_leaf("", conversation)

    def _stretches(self) -> Iterator[tuple[TreeNode[Entry], Stretch]]:
        """Rows of years and months, each year before its months."""
        for node in self.root.children:
            if isinstance(node.data, Stretch):
                yield node, node.data
                for each in node.children:
                    if isinstance(each.data, Stretch):
                        yield each, each.data

    def _return_to(self, cursor: Entry | None) -> None:
        """Put the cursor on what it was on, where that is still shown; nothing is previewed."""
        with self.prevent(Tree.NodeHighlighted):
            for line in range(self.last_line + 1):
                node = self.get_node_at_line(line)
                if node is not None and cursor is not None and _is_same(node.data, cursor):
                    self.move_cursor(node)
                    return

    def fill_names(self, names: RefNames) -> None:
        """Show branches and tags below the conversations, in the place of those shown before."""
        cursor = self.cursor_node.data if self.cursor_node is not None else None
        self._fill_names(names)
        self._return_to(cursor)

    def _fill_names(self, names: RefNames) -> None:
        self.names = names
        for node in [node for node in self.root.children if isinstance(node.data, Heading)]:
            node.remove()
        # A single branch is no news, and its name is in the status line.
        shown = names.branches if len(names.branches) > 1 else ()
        self._add_group(
            "Branches", [Named(each.name, is_current=each.is_current) for each in shown]
        )
        self._add_group("Tags", [Named(each.name, is_tag=True) for each in names.tags])
        self.root.expand()

    def _add_group(self, label: str, entries: Sequence[Named]) -> None:
        if not entries:
            return
        group = self.root.add(label, Heading(label, len(entries)), expand=label not in self._folded)
        for entry in entries:
            group.add_leaf(entry.name, entry)

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[Entry]) -> None:
        """Fill a month the first time it opens."""
        node = event.node
        if isinstance(node.data, Heading):
            self._folded.discard(node.data.label)
        if isinstance(node.data, Stretch):
            self._fill_stretch(node, node.data)

    def on_tree_node_collapsed(self, event: Tree.NodeCollapsed[Entry]) -> None:
        """Remember that a group was closed."""
        if isinstance(event.node.data, Heading):
            self._folded.add(event.node.data.label)

    def on_tree_node_highlighted(self, event: Tree.NodeHighlighted[Entry]) -> None:
        """Moving previews; only while the rail has the focus."""
        event.stop()
        if self.has_focus and isinstance(event.node.data, ConversationId):
            self.post_message(self.Previewed(event.node.data))

    def on_tree_node_selected(self, event: Tree.NodeSelected[Entry]) -> None:
        """Enter or a click stays there."""
        event.stop()
        if isinstance(event.node.data, ConversationId):
            self.post_message(self.Chosen(event.node.data))
        elif isinstance(event.node.data, Named):
            kind = self.TagChosen if event.node.data.is_tag else self.BranchChosen
            self.post_message(kind(event.node.data.name))

    def action_merge(self) -> None:
        """Merge the branch under the cursor."""
        node = self.cursor_node
        entry = node.data if node is not None else None
        name = entry.name if isinstance(entry, Named) and not entry.is_tag else ""
        self.post_message(self.MergeWanted(name))

    def action_fold(self) -> None:
        """Close the month, or go to it."""
        node = self.cursor_node
        if node is None:
            return
        if node.is_expanded and node.allow_expand:
            node.collapse()
        elif node.parent is not None and node.parent is not self.root:
            self.move_cursor(node.parent)

    def action_unfold(self) -> None:
        """Open the month."""
        if self.cursor_node is not None and self.cursor_node.allow_expand:
            self.cursor_node.expand()

    def get_label_width(self, node: TreeNode[Entry]) -> int:  # noqa: ARG002 - Textual asks so
        """Measuring labels would read every title; all rows are as wide as the rail."""
        return max(8, self.size.width - 4)

    def render_label(self, node: TreeNode[Entry], base_style: Style, style: Style) -> Text:  # noqa: ARG002
        """A month with its count, or a day with the conversation's title."""
        width = max(
            8, self.scrollable_content_region.width - (2 if node.parent is self.root else 4)
        )
        entry = node.data
        if isinstance(entry, Stretch | Heading):
            sign = self._glyphs.expanded if node.is_expanded else self._glyphs.collapsed
            line = Text(f"{sign} {entry.label}", style)
            count = str(entry.count)
            line.append(count.rjust(max(1, width - len(line) - 1)), style + Style(dim=True))
        elif isinstance(entry, Named):
            sign = self._glyphs.ready if entry.is_current else self._glyphs.offline
            line = Text(" " if entry.is_tag else f"{sign} ", style)
            line.append(" ".join(sanitise(entry.name).split()), style)
        elif isinstance(entry, ConversationId):
            line = Text(f"{entry.day.day:>2} ", style + Style(dim=True))
            line.append(self._title(entry), style)
        else:
            line = Text("", style)
        line.truncate(width, overflow="crop" if self._glyphs.rule.isascii() else "ellipsis")
        return line

    def _title(self, conversation: ConversationId) -> str:
        known = self._known.get(conversation)
        if known is None:
            title = " ".join(sanitise(self._titles(conversation)).split())
            known = self._known[conversation] = title or _clock(conversation)
        return known


def _is_same(entry: Entry | None, before: Entry) -> bool:
    """Whether a row is about what another was about before the rail was filled again."""
    if isinstance(entry, Stretch) and isinstance(before, Stretch):
        return entry.key == before.key
    if isinstance(entry, Named) and isinstance(before, Named):
        return (entry.name, entry.is_tag) == (before.name, before.is_tag)
    if isinstance(entry, Heading) and isinstance(before, Heading):
        return entry.label == before.label
    return entry == before


def _clock(conversation: ConversationId) -> str:
    minute = conversation.minute
    return f"at {minute[-4:-2]}:{minute[-2:]}"
