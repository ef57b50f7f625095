"""What the supervised programs inherit: settings, the system's usual variables, and no secret they do not need."""

from polypipe.runtime.environment import child_environment, secrets_for, up_environment
from polypipe.runtime.programs import dagster_programs, dashboard_program
from polypipe_tests.conftest import settings_for


def test_secrets_of_the_shell_do_not_reach_a_child(settings, tmp_path):
    environ = {
        "PATH": "/bin",
        "HOME": "/root",
        "LC_ALL": "C",
        "https_proxy": "http://proxy",
        "PRIVATE_KEY": "s3cret",
        "CLOB_API_KEY": "s3cret",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "POLYPIPE_SOMETHING_ELSE": "s3cret",
    }
    child = child_environment(settings, tmp_path, environ)
    assert "s3cret" not in child.values()
    assert child["PATH"] == "/bin"
    assert child["https_proxy"] == "http://proxy"
    assert child["DAGSTER_HOME"] == str(tmp_path)
    assert child["POLYPIPE_GAMMA_URL"] == settings.gamma_url


def test_a_detached_up_inherits_settings_and_the_usual_variables_only():
    usual = {"PATH": "/bin", "TZ": "UTC"}
    ours = {"POLYPIPE_ALERT_URLS": "json://127.0.0.1", "FUNDER_ADDRESS": "0x" + "a" * 40}
    assert up_environment(usual | ours | {"PRIVATE_KEY": "s3cret", "POLYPIPE_UP": "/home"}) == usual | ours


def test_each_secret_setting_reaches_only_the_programs_that_need_it(sim):
    given = {
        "POLYPIPE_ALERT_URLS": "json://127.0.0.1:9/hook",
        "POLYPIPE_DASHBOARD_TOKEN": "0123456789abcdef",
        "POLYPIPE_POSTGRES_URL": "postgresql://user:password@127.0.0.1/db",
    }
    settings = settings_for(sim.url, **given)
    settings.home.mkdir(parents=True)
    assert not set(given) & set(child_environment(settings, settings.home, {}))
    known = [p.name for p in [*dagster_programs(settings, settings.home), dashboard_program()]]
    receivers = {name: {p for p in [*known, "exchange"] if name in secrets_for(settings, p)} for name in given}
    assert receivers == {
        "POLYPIPE_ALERT_URLS": {"code-server"},
        "POLYPIPE_DASHBOARD_TOKEN": {"dashboard"},
        "POLYPIPE_POSTGRES_URL": {"code-server", "daemon", "webserver"},
    }
    assert secrets_for(settings, "dashboard") == {"POLYPIPE_DASHBOARD_TOKEN": given["POLYPIPE_DASHBOARD_TOKEN"]}
