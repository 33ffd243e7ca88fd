"""What script/up decides before it starts anything: options, settings, ports."""

import socket
import stat
from pathlib import Path

import pytest

from project.up import local_env
from project.up.errors import UpError
from project.up.instance import only_instance
from project.up.options import Options, read_options
from project.up.plan import Plan, make_plan, refuse_occupied_ports
from verification.sandbox.server import DEMO_KEY
from verification.vault.keyring import parse_keyring

OPTIONS = Options(check=False, demo=True, web_port=8000, sandbox_port=8001)
CHECK = Options(check=True, demo=True, web_port=8000, sandbox_port=8001)


def _random(size: int) -> bytes:
    return bytes(size)


def _stored() -> dict[str, str]:
    return local_env.generate(_random)


def _plan(options: Options = OPTIONS, **given: str) -> Plan:
    return make_plan(options, local_dir=Path("/somewhere/.local"), given=given, stored=_stored())


def test_options_have_defaults() -> None:
    assert read_options([], {}) == OPTIONS


def test_an_option_wins_over_the_environment() -> None:
    environ = {"WEB_PORT": "9000", "SANDBOX_PORT": "9001"}
    options = read_options(["--check", "--web-port", "9100"], environ)
    assert options == Options(check=True, demo=True, web_port=9100, sandbox_port=9001)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "٨٠٠٠", ""])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(UpError, match="--sandbox-port or SANDBOX_PORT must be a port"):
        read_options([], {"SANDBOX_PORT": port})


@pytest.mark.parametrize("arguments", [["--check", "--no-demo"], ["--web-port", "x"], ["--what"]])
def test_arguments_that_make_no_sense_exit_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        read_options(arguments, {})
    assert raised.value.code == 2


def test_the_settings_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / ".local" / "env"
    made = local_env.ensure(path, data=tmp_path / "none", random=_random)
    again = local_env.ensure(path, data=tmp_path, random=lambda size: b"\1" * size)
    assert again == made == local_env.read(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert parse_keyring(made["VERIFICATION_KEYRING"]).primary == "local-1"


def test_what_an_older_file_lacks_is_added_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# mine\nSECRET_KEY=kept\nTIME_ZONE=Asia/Singapore")
    made = local_env.ensure(path, data=tmp_path / "none", random=_random)
    assert (made["SECRET_KEY"], made["TIME_ZONE"]) == ("kept", "Asia/Singapore")
    assert local_env.read(path) == made
    assert path.read_text().startswith("# mine\nSECRET_KEY=kept\n")


def test_new_keys_are_not_made_for_old_data(tmp_path: Path) -> None:
    with pytest.raises(UpError, match="keys that open the data"):
        local_env.ensure(tmp_path / "env", data=tmp_path, random=_random)
    assert not (tmp_path / "env").exists()


def test_without_settings_everything_runs_here() -> None:
    plan = _plan()
    assert plan.starts_database
    assert plan.starts_sandbox
    assert plan.sends_samples
    assert plan.environ["FACEID_SANDBOX_URL"] == "http://127.0.0.1:8001"
    assert plan.environ["DEBUG"] == "true"


def test_database_url_switches_the_embedded_database_off() -> None:
    assert not _plan(DATABASE_URL="postgres://elsewhere/db").starts_database


def test_each_process_has_its_own_role_in_the_embedded_database() -> None:
    plan = _plan(DATABASE_ROLE="worker")
    assert plan.environ["DATABASE_ROLE"] == "owner"
    assert plan.environ_of("web") == {**plan.environ, "DATABASE_ROLE": "web"}
    assert plan.environ_of("worker")["DATABASE_ROLE"] == "worker"


def test_a_database_url_keeps_the_role_that_it_names() -> None:
    plan = _plan(DATABASE_URL="postgres://elsewhere/db")
    assert plan.environ_of("web") == plan.environ
    assert "DATABASE_ROLE" not in plan.environ


@pytest.mark.parametrize("region", ["sgp", "idn"])
def test_a_real_region_gets_no_sandbox_no_samples_and_no_debugging_pages(region: str) -> None:
    plan = _plan(FACEID_REGION=region, FACEID_API_KEY="ours", FACEID_API_SECRET="secret")
    assert not plan.starts_sandbox
    assert not plan.sends_samples
    assert plan.environ["DEBUG"] == "false"
    assert "FACEID_TIMEOUT_S" not in plan.environ


def test_the_demonstration_key_never_goes_to_the_vendor() -> None:
    with pytest.raises(UpError, match="needs your FACEID_API_KEY and FACEID_API_SECRET"):
        _plan(FACEID_REGION="sgp")
    assert _stored()["FACEID_API_KEY"] == DEMO_KEY


def test_check_never_sends_samples_to_the_vendor() -> None:
    with pytest.raises(UpError, match="Leave FACEID_REGION unset"):
        _plan(CHECK, FACEID_REGION="idn", FACEID_API_KEY="ours", FACEID_API_SECRET="secret")


def test_a_keyring_directory_of_the_environment_replaces_the_stored_keyring() -> None:
    assert _plan(VERIFICATION_KEYRING_DIR="/keys").environ["VERIFICATION_KEYRING"] == ""


def test_a_plan_does_not_show_its_secrets() -> None:
    assert _stored()["SECRET_KEY"] not in repr(_plan())


def test_an_occupied_port_is_named_with_its_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        taken = Options(check=False, demo=True, web_port=port, sandbox_port=1)
        with pytest.raises(UpError, match=rf"Port {port} is taken .* --web-port PORT, or WEB_PORT"):
            refuse_occupied_ports(_plan(taken))


def test_web_and_sandbox_cannot_share_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
    shared = Options(check=False, demo=True, web_port=port, sandbox_port=port)
    with pytest.raises(UpError, match="are both"):
        refuse_occupied_ports(_plan(shared))


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with (
        only_instance(tmp_path),
        pytest.raises(UpError, match="running here already"),
        only_instance(tmp_path),
    ):
        pytest.fail("both had the lock")
    with only_instance(tmp_path):
        assert (tmp_path / "up.lock").read_text().strip().isdecimal()
