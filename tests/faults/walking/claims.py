"""What the pages may say, and when it is so: the one table that the walks go by.

A pattern is a text of ours in the words of its msgid, of this version or of an earlier one. `{…}`
stands for what is filled in (`_FILLED`), `[a|b]` for either. The first that fits takes the words,
so that the more exact ones stand first. What nobody here knows the walks list as unknown.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from django.utils.translation import gettext

from associations.bulk.files.rows import RowReason
from tests.faults.walking import entry_truth as entry
from tests.faults.walking import found_truth as found
from tests.faults.walking import look_truth as look
from tests.faults.walking import row_truth as row
from tests.faults.walking import run_truth as run
from tests.faults.walking import state_truth as state
from tests.faults.walking import status_truth as status
from tests.faults.walking.entry_truth import always
from tests.faults.walking.saying import Saying

_RECORD = r"[A-Za-z]+(?: [a-z]+)? \d+"
_FILLED = {
    # By name, where the entry keeps one.
    "from_": rf"(?:{_RECORD}|.{{1,80}}?)",
    "to": rf"(?:{_RECORD}|.{{1,80}}?)",
    "record": rf"(?P<record>{_RECORD})",
    "other": rf"(?P<other>{_RECORD})",
    "n": r"(?P<n>[\d,]+)",
    "not": r"(?P<not>[\d,]+)",
    "perhaps": r"(?P<perhaps>[\d,]+)",
    "total": r"(?P<total>[\d,]+)",
    "number": r"[\d,]+",
    "outcome": r"(?P<word>queued|sending|linked|unconfirmed|rejected|unreachable|canceled)",
    "state": rf"(?P<word>{state.STATE_WORDS})",
    "event": r"(?P<word>uploaded|asked for approval|took the request for approval back|did not approve|request for approval expired|request for approval became void|approved|started|paused by itself|paused|had it go on|took it over|resumed|canceled|ended)",
    "text": r"(?P<text>[^“”]+?)",
    "mail": r"(?P<text>[^\s“”]+)",
    "kind": r"(?P<word>[A-Za-z]+)",
    "type": r"[A-Z][\w ]*?",
    "any": r".+?",
    "rest": r".+",
    "moment": r"(?P<moment>(?:\d+ \w+ \d{4}, )?[\d:]+(?: [A-Z]+)?)",
    "when": r"\d+ \w+ \d{4}, [\d:]+(?: [A-Z]+)?",
}


@dataclass(frozen=True)
class Claim:
    """On which pages and where on them, which words, and whether they are so."""

    where: str
    words: str
    holds: Callable[[Saying], bool]

    @cached_property
    def kinds(self) -> set[str]:
        return kinds_of(self.where.partition(":")[0])

    @property
    def place(self) -> str:
        return self.where.partition(":")[2]

    @property
    def name(self) -> str:
        """What the claim is called in reports: its words, and where these alone say little."""
        return f"{self.place}: {self.words}" if self.place else self.words

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        text = re.escape(gettext(self.words))
        for mark, meant in ((r"\[", "(?:"), (r"\]", ")"), (r"\|", "|")):
            text = text.replace(mark, meant)
        text = re.sub(r"\\\{(\w+)\\\}", lambda found: _FILLED[found[1]], text)
        return re.compile(rf"^{text}$" if self.place else rf"(?<!\w){text}")


# Groups of kinds of pages, by the name that the table has for them.
_PAGES = {
    "entries": "entry mine audit run fragment results",
    "lists": "entry mine audit run fragment form",
    "runs": "runs run fragment",
    "one run": "run fragment",
    "looks": "preview form",
    "anywhere": "entry mine audit run fragment form runs status times preview",
    "file": "results",
}


def kinds_of(names: str) -> set[str]:
    return {kind for name in (names, *names.split()) for kind in _PAGES.get(name, name).split()}


CLAIMS = [
    Claim(*each)
    for each in [
        # --- an entry in a list: what stands beside its outcome -------------------------------
        ("mine audit run fragment", "linked before already", entry.linked_before),
        ("mine audit run fragment", "seen linked afterwards", entry.linked_when_seen),
        ("mine audit run fragment", "not seen afterwards", entry.not_there_afterwards),
        ("mine audit run fragment", "not verified", entry.not_verified),
        ("lists entry", "canceled by HubSpot", entry.not_linked_by_it),
        # --- an entry: how it ended -----------------------------------------------------------
        ("entries", "HubSpot answered that {from_} is now linked to {to}.", entry.hubspot_said_so),
        ("entries", "{from_} is now linked to {to}.", entry.linked_at_the_end),
        (
            "entries",
            "{from_} was already linked to {to}. Nothing has changed.",
            entry.linked_all_along,
        ),
        ("entries", "{from_} is linked to {to}: [HubSpot's answer did not prove|no answer of HubSpot's proved] it, but the link was there when it was looked up afterwards.", entry.linked_when_seen),
        ("entries", "They were linked already before this request, and it changed nothing.", entry.linked_before),
        ("entries", "The link was not there when it was looked up afterwards.", entry.not_there_afterwards),
        ("entries", "It was accepted, but not verified:", entry.was_accepted),
        ("entries", "It was not verified:", entry.not_verified),
        ("entries", "{from_} and {to} are one record in HubSpot: they were merged. Nothing was linked.", entry.is_one_record),
        ("entries looks", "{record} was merged into {n}.", entry.was_merged),
        ("entries", "HubSpot accepted the request but has not finished it: {from_} and {to} may not be linked yet.", entry.was_accepted),
        ("entries", "HubSpot accepted the request, but its answer [does not show|could not be read, so nothing proves] the link from {from_} to {to}.", entry.was_accepted),
        ("entries", "HubSpot accepted the request, but its answer has no status: {from_} and {to} may not be linked.", entry.was_accepted),
        ("entries", "HubSpot's answer contradicts itself: it shows a link from {from_} to {to} and an error.", entry.was_accepted),
        ("entries", "HubSpot canceled the request: {from_} and {to} were not linked.", entry.not_linked_by_it),
        ("entries", "{from_} and {to} were not linked: one of them has as many links", entry.not_linked_by_it),
        ("entries", "HubSpot refused to link {from_} to {to}.", entry.not_linked_by_it),
        ("fragment", "The run has ended. Nothing was linked.", state.nothing_linked),
        ("entries", "Nothing was linked.", entry.not_linked_by_it),
        ("entries", "Nothing was sent, so {from_} and {to} were not linked.", entry.not_sent),
        ("entries", "Whoever asked for it had signed out or lost their access before it could be sent, so {from_} and {to} were not linked.", entry.not_sent),
        ("entries", "Nothing was sent for {from_} and {to}, so they were not linked: the run was canceled before their turn, or they were not to be sent any more when it came.", entry.not_sent),
        ("entries", "The run was canceled before {from_} and {to} were linked: HubSpot had accepted no call about them.", entry.not_linked_by_it),
        ("entries", "{from_} and {to} wait for their turn in a bulk run. Nothing was sent yet.", entry.waits_for_its_turn),
        ("entries", "{from_} and {to} wait for another turn in a bulk run: what was sent before has not settled it.", entry.waits_for_another_turn),
        ("entries", "All [requests that HubSpot takes at once|calls that this site allows itself within ten seconds] are in use, so this one was not sent.", entry.not_sent),
        ("entries", "Whether {from_} and {to} are linked is not known.", entry.not_known),
        ("entries", "HubSpot has no {record} and no {other}.", entry.named_ones_were_missing),
        ("entries", "HubSpot has no {record}.", entry.named_ones_were_missing),
        ("entries", "HubSpot has no such record on one of the two sides.", entry.one_was_missing),
        ("entries", "HubSpot has no default way to link these two types", entry.has_no_default_type),
        ("entries", "Linking {from_} to {to} …", entry.is_under_way),
        ("entries", "the configured address sent us to another one.", always),
        ("entry", "Read HubSpot's words below.", entry.words_stand_below),
        ("entry", "HubSpot's answer is awaited.", entry.is_open),
        ("entry", "If they are to be linked after all, link them by the form or in another run.", always),
        ("entry", "If it is canceled once more, tell the admin of this site.", always),
        ("entry", "record not found record_not_found", always),
        ("entries", "found by {mail}", found.was_found_by),
        # --- an entry: its facts and its checks -----------------------------------------------
        ("entry:outcome", "{outcome}", entry.is_its_outcome),
        ("lists:outcome of entry", "{outcome}", entry.is_its_outcome),
        ("entry:title", "{from_} → {to}: {outcome} · hubadmin", entry.is_its_outcome),
        ("entry", "verified {any} [s|ms]", entry.linked_when_seen),
        ("entry:fact Linked", "yes", entry.linked_at_the_end),
        ("entry:fact Linked", "no", entry.not_linked_at_all),
        ("entry:fact Linked", "perhaps", entry.not_known),
        ("entry:fact Linked", "not by this request", entry.not_linked_by_it),
        ("entry:fact Linked before", "yes", entry.linked_before),
        ("entry:fact Linked before", "no", entry.not_linked_before),
        ("entry:fact Verified", "yes {when}", entry.linked_when_seen),
        ("entry:fact Verified", "no {when}", entry.not_there_afterwards),
        ("entry:fact Sent", "not yet", entry.not_sent),
        ("entry:fact Sent", "never", entry.not_sent),
        ("entry:outcome", "The records are [linked|not linked].", entry.check_was_right),
        ("entry:outcome", "This could not be seen.", entry.check_was_right),
        ("entry", "This was sent [at|on] {moment}; nothing was sent now.", entry.sent_before),
        # --- the form, and what it shows of two records ---------------------------------------
        ("form:title", "HubSpot answered that {from_} is now linked to {to}. · Link two records · hubadmin", entry.hubspot_said_so),
        ("form:title", "{from_} is now linked to {to}. · Link two records · hubadmin", entry.linked_at_the_end),
        ("form:title", "{from_} was already linked to {to}. Nothing has changed. · Link two records · hubadmin", entry.linked_all_along),
        ("form", "Linked · seen in HubSpot", entry.linked_when_seen),
        ("form", "Linked · linked before already, nothing has changed", entry.linked_before),
        ("form", "Linked Open the entry", entry.hubspot_said_so),
        ("form", "The link was not there when it was looked up afterwards.", entry.not_there_afterwards),
        ("form", "It was not verified:", entry.not_verified),
        ("form", "[The first record|“This record”] is linked to each of them as well.", always),
        ("form:outcome of entry", "{outcome}: {any}", entry.is_its_outcome),
        ("form", "Nothing was sent yet.", entry.nothing_sent_in_this_step),
        ("form", "so [this was not|nothing was] sent.", entry.nothing_sent_in_this_step),
        ("looks", "They are linked already as: {any}; not yet by the default type.", look.linked_now_by_a_label),
        ("looks", "They are linked already, also as: {any}.", look.linked_now),
        ("looks", "They are linked already.", look.linked_now),
        ("looks", "They are not linked yet.", look.not_linked_now),
        ("looks", "Both are the same record in HubSpot, so there is nothing to link.", look.one_record_now),
        ("looks", "Linking them again changes nothing.", always),
        ("looks", "They would be linked by the default type from {type} to {type} ({number}).", always),
        ("looks", "[Linked|Also linked] to [|more than ]{n} {type}: {rest}", look.others_are_linked),
        ("looks", "HubSpot has no record “{record}”.", look.is_missing_now),
        ("looks", "“{record}” was deleted in HubSpot. Restore it there, or enter another record.", look.is_missing_now),
        ("looks", "The primary company of {from_} stays {to}, as far as is known.", always),
        ("looks", "HubSpot may refuse this: this site's access token lacks {any}.", look.scopes_to_write_lack),
        ("one run", "HubSpot may refuse this: this site's access token lacks {any}.", look.scopes_to_write_lack),
        ("looks", "Not everything could be looked up.", look.looks_fail),
        ("looks", "You can [|try to ]link the records all the same.", look.may_be_linked),
        ("looks", "HubSpot does not accept this site's access token.", look.trouble("token refused")),
        ("looks", "HubSpot takes no more requests for the moment.", look.trouble("429")),
        ("looks", "[All requests that HubSpot takes at once are in use|No more can be asked of HubSpot for the moment].", look.trouble("429")),
        ("looks", "You have looked up a lot within a minute", look.looked_enough),
        ("looks", "HubSpot's daily limit of requests is used up.", look.trouble("daily limit")),
        ("looks", "This site's access token may not read the records", look.trouble("no scope at all", "no scope to read")),
        ("looks", "HubSpot is not available at the moment.", look.trouble("503", "521")),
        ("form", "Nothing is found yet (looked for: {any}).", always),
        ("looks", "HubSpot has no default way to link the types {any} and {any}.", always),
        ("form", "What you link shows here, with a way to do it again.", always),
        ("mine", "Every link you ask for is listed here.", always),
        # --- a run: its state -----------------------------------------------------------------
        ("one run:outcome", "linked already", run.has_linked_before),
        ("one run:outcome", "{state}", state.is_its_state),
        ("runs mine:outcome of run", "{state}", state.is_its_state),
        ("anywhere", "Run {number} ({any}) is {state}:", state.is_its_state),
        ("one run:title", "Run {number}: {any} ({state}) · hubadmin", state.is_its_state),
        ("fragment", "The file is read.", state.state_is("reading")),
        ("fragment", "The rows are read. The run can be started.", state.can_be_started),
        ("fragment", "The run waits for somebody else's approval.", state.waits_for_approval),
        ("fragment", "The run was not approved. Nothing was sent.", state.got_no_approval("refused")),
        ("fragment", "Nobody has answered the request for approval in time. Nothing was sent.", state.got_no_approval("expired")),
        ("fragment", "The rows have changed since approval was asked for. Nothing was sent.", state.got_no_approval("void")),
        ("anywhere", "Run {number} ({any}) of {any} waits for approval", state.waits_for_approval),
        ("anywhere", "Run {number} ({any}): {state}", state.is_its_state),
        ("fragment", "The run begins.", state.state_is("queueing")),
        ("fragment", "The run is under way.", state.state_is("running")),
        ("fragment", "The run is paused.", state.state_is("paused")),
        ("fragment", "The run waits.", state.stands_still),
        ("fragment", "The rows are being read.", state.state_is("reading")),
        ("fragment", "The rows are read. There is nothing to start.", state.nothing_to_send),
        ("fragment", "The run is canceled. Nothing was sent.", state.ended_unsent),
        ("fragment", "The run is canceled. HubSpot had accepted nothing of it.", state.state_is("canceled")),
        ("fragment", "The run is canceled. A part of it had been sent.", state.canceled_midway),
        ("fragment", "The run is canceled. All of it had been sent.", state.canceled_too_late),
        ("fragment", "The run is done. Every pair is linked.", state.all_are_linked),
        ("fragment", "The run is done. Every pair that was sent is linked; some rows were left out.", state.with_rows_left_out),
        ("fragment", "The run has ended. Only a part of it is done.", state.partly_done),
        ("fragment", "The run has ended. Of no pair it is certain that it is linked.", state.nothing_certain),
        ("fragment", "The run has ended. Nothing was sent.", state.ended_unsent),
        ("fragment", "The run is being canceled.", state.state_is("canceling")),
        ("fragment", "The run is canceled.", state.state_is("canceled")),
        ("fragment", "The run is done.", state.all_are_linked),
        ("one run", "What was not sent yet will not be sent. What is linked stays linked.", always),
        ("one run", "First it is looked up which of its links can be undone. Nothing is removed before you start it.", always),
        ("one run", "Nothing [|more ]is sent until somebody [lets it go on|resumes it]", state.state_is("paused")),
        ("one run", "Nothing more is sent in the name of somebody who has lost their access", state.state_is("paused")),
        ("one run", "What was not sent yet will not be sent.", state.state_is("canceling")),
        ("one run", "What was not sent yet is being closed.", state.state_is("canceling")),
        ("one run", "You may close this page; the run goes on.", state.state_is("queueing", "running")),
        ("one run", "Nothing [is|was] sent yet.", run.nothing_was_sent),
        ("one run", "Nothing was sent.", run.nothing_was_sent),
        ("one run", "It has paused by itself:", run.was_stopped),
        ("one run", "{when}: {any} {event}", run.has_event),
        ("one run", "{when}: {event}", run.has_event),
        # --- a run: what it would send --------------------------------------------------------
        ("one run", "{n} of {number} rows can be sent.", run.rows_can_be_sent),
        ("one run", "None of the rows can be sent, so there is nothing to start.", run.no_row_can_be_sent),
        ("one run", "The {n} pair[|s] that could be sent [is|are] linked already, so there is nothing to start.", run.linked_already),
        ("one run", "Of {n} pair[|s] [it could not be looked up|HubSpot did not tell] whether [it is|they are] linked already", run.not_looked_up),
        ("one run", "Nobody has looked which pairs are linked already.", run.nobody_looked),
        ("one run", "{n} row[ was|s were] left out, as [it has|they have] a problem.", run.rows_are("invalid")),
        ("one run", "Start: link {n} pair[s|]", run.would_send),
        ("one run", "[You|{any}] asked for approval at {when}", state.waits_for_approval),
        ("one run", "Approve and start: link {n} pair[s|]", run.would_send),
        ("one run", "{any} did not approve it: “{any}”", state.got_no_approval("refused")),
        ("one run", "Nobody has answered your request for approval in time.", state.got_no_approval("expired")),
        ("one run", "void: what stood in the log was not what had been approved, so nothing was sent", run.nothing_was_sent),
        ("one run:fact Ready to link", "{n}", found.ready_to_link),
        ("one run:fact Needs a choice", "{n}", found.waits_for_a_choice),
        ("one run:fact Cannot be linked", "{n}", found.cannot_be_linked),
        ("one run:fact Duplicates", "{n}", run.rows_are("double")),
        ("one run:fact Linked already", "{n}", run.linked_already),
        ("one run", "What is linked already is as HubSpot showed it until {any}.", always),
        ("one run:choice", "Leave out the {n} that [is|are] linked already", run.linked_already),
        ("one run", "{n} left out as linked already", run.left_out_as_linked),
        ("one run", "each is a pair of its own: {n} pair[|s] more than lines.", run.pairs_beyond_lines),
        ("one run", "Of rows that say the same only the first is sent.", always),
        ("one run", "Which pairs are linked already could not be looked up ({any}). That does no harm: linking them again changes nothing.", always),
        ("one run", "That does no harm: linking them again changes nothing.", always),
        ("one run", "Those that are will be sent as well, which changes nothing.", always),
        ("one run:choice", "Many in one call: {rest}", always),
        ("one run", "Only {any} can start it, as it is started in their name.", always),
        # --- a run: the records that its rows name --------------------------------------------
        ("one run:found", "{n} of {total}[ ({perhaps} [has|have] several)|]", found.found_of_side),
        ("one run", "Found in HubSpot", always),
        ("one run", "{n} row[ needs|s need] a choice", found.waits_for_a_choice),
        ("one run", "What is chosen holds for every row with the same text.", always),
        ("one run:name", "{text} Line {n}", found.rows_of_a_choice),
        ("one run:name", "{text} Line {n} and others, {total} rows in all", found.rows_of_a_choice),
        ("one run:choice", "[{any} |]{kind} {n}[ · {rest}|]", found.is_on_offer),
        ("one run", "Nothing is chosen yet. Choose a record in at least one place.", always),
        ("one run", "Cannot be linked", found.is_left_out),
        ("one run", "These rows are left out.", found.is_left_out),
        ("one run", "Download the {n} row[s|]", found.can_be_downloaded),
        ("one run", "{n} row[s|]: HubSpot has no record with this id.", found.group_is(RowReason.MISSING, holds=found.has_no_such_id)),
        ("one run", "{n} row[s|]: The record with this id was deleted in HubSpot.", found.group_is(RowReason.ARCHIVED, holds=found.has_no_such_id)),
        ("one run", "{n} row[s|]: HubSpot has no contact with this e-mail address.", found.group_is(RowReason.NO_SUCH_EMAIL, holds=found.has_no_key_record)),
        ("one run", "{n} row[s|]: HubSpot's search finds no record for this text.", found.group_is(RowReason.NOT_FOUND, holds=found.is_not_found)),
        ("one run", "{n} row[s|]: This domain gives mail addresses to anybody: it is no company's.", found.group_is(RowReason.FREE_MAIL)),
        ("one run", "{n} row[s|]: None of the records that HubSpot has was meant.", found.group_is(RowReason.NONE_MEANT)),
        ("one run", "{n} row[s|]: HubSpot did not tell whose this is.", found.group_is(RowReason.NOT_SHOWN)),
        ("one run", "{n} row[s|]: These names were not searched for: there are too many.", found.group_is(RowReason.TOO_MANY_WORDS)),
        ("one run", "{n} row[s|]: ", found.group_is()),
        # The same of a run that has ended, where the number stands apart.
        ("one run", "HubSpot has no record with this id.", found.group_is(RowReason.MISSING, holds=found.has_no_such_id)),
        ("one run", "The record with this id was deleted in HubSpot.", found.group_is(RowReason.ARCHIVED, holds=found.has_no_such_id)),
        ("one run", "HubSpot has no contact with this e-mail address.", found.group_is(RowReason.NO_SUCH_EMAIL, holds=found.has_no_key_record)),
        ("one run", "HubSpot's search finds no record for this text.", found.group_is(RowReason.NOT_FOUND, holds=found.is_not_found)),
        ("one run", "None of the records that HubSpot has was meant.", found.group_is(RowReason.NONE_MEANT)),
        ("one run", "HubSpot has several records for a text of the file, or none that is called exactly so.", found.a_choice_is_due),
        ("one run", "Correct what is wrong in the file, and upload it as a run of its own: pairs that are linked by then are left out.", always),
        ("run fragment bad-rows results", "HubSpot has no {kind} with the id {n}.", found.no_such_id),
        ("run fragment bad-rows results", "A record cannot be linked to itself.", found.are_one_record),
        ("run fragment bad-rows results", "The {kind} with the id {n} was deleted in HubSpot.", found.no_such_id),
        ("run fragment bad-rows results", "HubSpot has no contact with the e-mail address {text}. Correct it", found.no_such_address),
        ("run fragment bad-rows results", "HubSpot's search finds no {kind} for “{text}”.", found.not_found),
        ("run fragment bad-rows results", "“{text}” may mean one of several ({n} found).", found.may_mean_several),
        ("run fragment bad-rows results", "Of what HubSpot finds for “{text}” none was meant.", found.none_was_meant),
        ("run fragment bad-rows results", "{text} gives mail addresses to anybody, so it is no company's domain.", found.is_free_mail),
        ("run fragment bad-rows results", "HubSpot did not tell whose “{text}” is.", found.was_not_told),
        ("run fragment bad-rows results", "“{text}” was not searched for: so many names in one file would take too long.", found.is_beyond_the_most),
        ("file", "When this row's turn came, HubSpot had another record for “{text}” than when it was checked, or none. Nothing was sent for it.", found.has_changed),
        ("one run", "{n} of {total} addresses and names looked for in HubSpot.", found.texts_looked_for),
        ("one run", "HubSpot is asked again by itself.", found.is_asked_again),
        # --- a run: how far it is, and how it ended -------------------------------------------
        ("one run", "{number} of {number} pairs looked up in HubSpot: are they linked already?", state.state_is("reading")),
        ("one run", "{n} of {total} pairs stand in the audit log and wait for their turn.", run.queued_of_all),
        ("one run", "{n} of {total} pairs are [through|done] ({number}[ |]%).", run.closed_of_all),
        ("one run", "{any} a second, about {any} left.", run.goes_on),
        ("one run", "not [through|done] yet {n}", run.entries_left),
        ("one run", "{outcome} {n}", run.outcome_counts),
        ("one run", "No pair was sent.", run.nothing_was_sent),
        ("one run", "{n} of {total} pair[ is|s are] linked.", run.linked_of_all),
        ("one run", "{n} [is|are] not.", run.counts("rejected")),
        ("one run", "Of {n} it is not certain.", run.counts("unconfirmed", "unreachable")),
        ("one run", "{n} [was|were] canceled.", run.were_canceled),
        ("one run", "{n} [was|were] not sent.", run.were_canceled),
        ("one run", "Try {n} again", run.can_be_tried_again),
        ("one run", "Download the {n} to correct", run.are_to_correct),
        # The counts over one's own requests: of the day, and of all.
        ("mine", "Today: {n} linked[, {not} not|][, {perhaps} perhaps|][, {number} left out|].", always),
        ("anywhere", "{n} linked[, {not} not|][, {perhaps} perhaps|][, {number} left out|].", run.counts_line),
        ("runs", "{n} of {total}:", run.closed_of_all),
        ("runs", "Upload them, look at what was understood, and start. Nothing is sent before you start.", always),
        # --- a run: what it waits for ---------------------------------------------------------
        ("one run", "No worker is running.", run.no_worker),
        ("one run", "HubSpot's daily limit is used up. It [goes on|resumes] at {when}", run.waits_for("daily_limit")),
        ("one run", "HubSpot takes no more calls for the moment.", run.waits_for("rate_limited")),
        ("one run", "HubSpot is moving this account's data.", run.waits_for("migrating")),
        ("one run", "HubSpot does not answer.", run.waits_for("hubspot_down", "timed_out", "connection_lost", "no_connection")),
        # --- a run: the file of its results ---------------------------------------------------
        ("file:cell state", "{any}", row.row_is),
        ("file:cell linked", "yes", row.row_is_linked),
        ("file:cell linked", "no", row.row_is_not_linked),
        ("file:cell linked", "perhaps", entry.not_known),
        ("file", "A row above says the same, so this one was not sent.", row.row_is_double),
        ("file", "The records were linked already, so this row was left out.", row.row_was_left_out),
        ("file", "The run was canceled before this row was queued.", row.row_was_canceled),
        ("file", "This row was not sent yet.", row.row_waits),
        ("file", "The run is being canceled, so this row will not be sent any more.", row.row_will_not_be_sent),
        # --- how things stand -----------------------------------------------------------------
        ("status", "Nothing here needs your attention.", status.nothing_is_wrong),
        ("status", "HubSpot accepts this site's access token", status.token_is_accepted),
        ("status", "HubSpot does not accept this site's access token.", status.token_is_refused),
        ("status", "No worker is running, so bulk runs stand still.", status.runs_stand_still),
        ("status", "No worker is running. No bulk run needs one now.", status.no_run_needs_a_worker),
        ("status", "{number} worker[ is|s are] running", status.workers_run),
        ("status", "Bulk runs wait until {when}", status.runs_wait),
        ("status", "Bulk run[s|] {any} [has|have] paused by [itself|themselves]:", status.run_has_stopped),
        ("status", "Bulk run[s|] {any} [is|are] paused until somebody [lets it go on|lets them go on|resumes it|resumes them].", status.run_is_paused),
        ("status", "Entry {n} of {when} waits for its turn in bulk run {number}, or for its answer.", status.entry_waits_in_its_run),
        ("status", "Of today's {total} calls in the log {n} failed", status.calls_of_today),
        ("status", "Entry {n} has been open since {when}, longer than any call can last: its process has ended.", status.process_has_ended),
        ("status", "Entry {n} is under way, since {when}", status.entry_is_under_way),
        ("status", "No entry is open.", status.no_entry_is_open),
        ("status", "no request was refused for want of a scope.", status.no_scope_was_wanted),
        ("status", "HubSpot refused requests for want of [a scope|scopes].", status.scope_was_wanted),
        ("status", "Until then nobody can link anything.", status.token_is_refused),
        ("status", "records that nobody here has linked lately.", always),
        ("status", "records: they are linked, but not verified.", always),
        ("status:fact Looking before and after each request", "{any}", always),
        ("status", "The count starts anew at", always),
        ("anywhere", "manage.py run_worker starts one.", always),
        ("anywhere", "Start one with manage.py run_worker", always),
        ("times", "No request was made by itself today, so there is no answer to time.", always),
        ("times", "{n} of {total} attempts failed", status.failures_are_right),
        ("audit", "Every request to link two records will be listed here", always),
    ]
]  # fmt: skip
# What a page has to say, or to be, and on which pages.
DUTIES = [
    ("entry", entry.tells_that_nothing_was_sent),
    ("status", status.first_line_is_the_worst),
    ("anywhere", entry.is_no_failure),
    ("one run", found.what_was_meant_is_taken),
    ("one run file", found.what_was_found_is_sent),
]
