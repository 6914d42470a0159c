"""The day's costs reach the channels that ask for them, once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from deepstack.config import Config
from monitoring.channels import configured
from monitoring.clocks import Moment
from monitoring.models import ReportDelivery
from monitoring.reporting import daily_reports, daily_summaries
from tests.integration.monitoring.mail_receiver import MailReceiver, receiving_mail
from tests.integration.monitoring.receiver import Receiver
from tests.integration.monitoring.rows import LIMITS, NOON, NOW, after, filled
from tests.integration.monitoring.test_apprise_channels import SLACK, slack, with_channel
from tests.integration.monitoring.test_cost_report import a_week

__all__ = ["slack"]

pytestmark = pytest.mark.django_db
MORNING = after(NOW, hours=13, minutes=5)  # five past midnight in New York


@pytest.fixture
def mail() -> Iterator[MailReceiver]:
    with receiving_mail() as server:
        yield server


def send(config: Config, moment: Moment = MORNING) -> int:
    daily_summaries.build_missing(moment.now, real_now=moment.real_now, limits=LIMITS)
    return daily_reports.send_due(moment=moment, config=config, channels=configured(config))


def test_an_e_mail_tells_the_day_once_and_brings_the_report(mail: MailReceiver) -> None:
    dear = a_week()[1]
    config = with_channel(mail.url, daily_report=True)
    assert (send(config), send(config)) == (1, 0)
    (message,) = mail.got
    assert message["Subject"] == "Executions of 2026-03-02, all accounts"
    body = message.get_body()
    assert body is not None
    assert "2 orders, $31," in body.get_content()
    assert "against arrival" in body.get_content()
    assert dear.pk
    (report,) = message.iter_attachments()
    assert report.get_filename() == "tca-2026-03-02.html"
    assert "<svg" in report.get_content()


def test_a_chat_that_takes_no_files_gets_the_words(slack: Receiver) -> None:
    a_week()
    assert send(with_channel(SLACK, daily_report=True)) == 1
    ((_, body),) = slack.got
    (attachment,) = body["attachments"]
    assert "dearest: " in attachment["text"]


def test_a_channel_that_does_not_ask_gets_none(mail: MailReceiver) -> None:
    a_week()
    assert send(with_channel(mail.url)) == 0
    assert not daily_reports.any_wanted(with_channel(mail.url))
    assert mail.got == []


def test_a_channel_of_one_account_sees_no_other(mail: MailReceiver) -> None:
    a_week()
    filled("150.00", account="second", symbol="SECRET")
    assert send(with_channel(mail.url, daily_report=True, accounts=["second"])) == 1
    (message,) = mail.got
    assert message["Subject"].endswith("second")
    (report,) = message.iter_attachments()
    assert "SECRET" in report.get_content()
    assert "AAPL" not in report.get_content()


def test_it_waits_for_the_end_of_the_quiet_hours(mail: MailReceiver) -> None:
    a_week()
    config = with_channel(mail.url, daily_report=True, quiet_hours="20:00-07:00")
    assert send(config) == 0
    assert ReportDelivery.objects.get().next_try_at_real == NOON + timedelta(hours=20)
    assert send(config, after(NOW, hours=20)) == 1


def test_a_mailbox_that_is_away_is_tried_again_later(mail: MailReceiver) -> None:
    a_week()
    config = with_channel(mail.url, daily_report=True)
    mail.refuses = True
    assert send(config) == 0
    assert ReportDelivery.objects.get().problem
    mail.refuses = False
    assert send(config, after(MORNING, minutes=4)) == 0
    assert send(config, after(MORNING, minutes=6)) == 1
    assert ReportDelivery.objects.get().problem == ""


def test_what_was_long_ago_is_not_told(mail: MailReceiver) -> None:
    a_week()
    assert send(with_channel(mail.url, daily_report=True), after(NOW, days=6)) == 0


def test_a_day_without_executions_says_so() -> None:
    from monitoring.cost_report import report
    from monitoring.cost_report.period import Period

    found = report.of(Period(NOON.date(), NOON.date()))
    assert daily_reports.text(found) == "No order with an execution ended."
