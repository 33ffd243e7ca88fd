from verification.faceid import contract


def test_no_row_stands_twice() -> None:
    results = [(row.code, row.message) for row in contract.RESULTS]
    errors = [(row.http_status, row.code, row.argument) for row in contract.ERRORS]
    parameters = [row.name for row in contract.PARAMETERS]
    for rows in (results, errors, parameters):
        assert len(set(rows)) == len(rows)


def test_billing_follows_the_code_but_for_a_failed_data_source() -> None:
    billed = {(row.code, row.billed) for row in contract.RESULTS}
    assert billed == {
        (1000, True),
        (2000, True),
        (3000, True),
        (3000, False),
        (4100, False),
        (4200, False),
        (9000, None),
    }
    free = [row.message for row in contract.RESULTS if (row.code, row.billed) == (3000, False)]
    assert free == ["DATA_SOURCE_ERROR"]


def test_every_region_is_reached_by_https() -> None:
    assert set(contract.REGIONS) == {"sgp", "idn"}
    assert all(url.startswith("https://") for url in contract.REGIONS.values())


def test_parameters_are_bounded_as_their_kind_needs() -> None:
    for row in contract.PARAMETERS:
        assert bool(row.choices) == (row.kind == "choice"), row.name
        assert (row.low is not None and row.high is not None) == (row.kind == "integer"), row.name
        if row.kind == "choice" and row.default is not None:
            assert row.default in row.choices, row.name


def test_the_forms_hold_every_parameter_and_the_signature() -> None:
    names = {row.name for row in contract.PARAMETERS}
    assert names | {"sign", "sign_version"} == contract.BIZ_TOKEN_TEXTS | contract.BIZ_TOKEN_FILES
    assert {"image_ref1", "image_ref2", "image"} == contract.BIZ_TOKEN_FILES
    assert {"sign", "sign_version", "biz_token"} == contract.VERIFY_TEXTS
