"""The table of codes, letter by letter: clients compare texts."""

from __future__ import annotations

from postroom_server.gateway.sendcloud import codes, fields
from postroom_server.mail import form_checks

TABLE = {
    200: "请求成功",
    501: "服务器异常",
    6001: "你没有权限访问",
    40001: "start不能为空",
    40002: "start非法",
    40003: "limit不能为空",
    40004: "limit非法",
    40005: "认证失败",
    40201: "模版调用名称invokeName不能为空",
    40202: "模版调用名称invokeName格式错误",
    40203: "模版类型不能为空",
    40204: "非法的模板类型, 只能是0或者1",
    40205: "templateStat不能为空",
    40206: "templateStat非法, 只能是-1, -2, 1, 0中的值",
    40207: "name不能为空",
    40208: "name格式非法",
    40209: "subject不能为空",
    40210: "subject格式非法",
    40211: "html不能为空",
    40212: "html格式非法",
    40213: "text不能为空",
    40214: "text格式非法",
    40215: "模板创建失败",
    40216: "模板调用名称对应的模板不存在",
    40217: "模板删除失败",
    40218: "模板更新失败",
    40219: "用户最多只能有1000个模板",
    40220: "模版调用名称已经存在",
    40221: "isSubmitAudit不能为空",
    40222: "isSubmitAudit格式错误",
    40223: "模板处于待审核状态, 不能修改",
    50000: "请求过于频繁",
    400: "请求格式错误",
}


def all_codes() -> set[codes.Code]:
    found = {value for value in vars(codes).values() if isinstance(value, codes.Code)}
    for parameter in codes.PARAMETERS:
        found |= {parameter.blank, parameter.malformed}
    return found | {codes.too_many("1000")}


def test_every_code_has_the_vendors_text() -> None:
    ours = {404, 405, 408, 413, 415}
    assert {code.number: code.text for code in all_codes() if code.number not in ours} == TABLE


def test_only_what_is_no_business_error_has_an_http_status_of_its_own() -> None:
    assert {code.number for code in all_codes() if code.http_status != 200} == {404, 405, 408, 413, 415}
    assert all(code.http_status in (200, code.number) for code in all_codes())


def test_a_malformed_name_is_what_the_product_takes_for_one() -> None:
    assert fields._INVOKE_NAME.pattern == form_checks.INVOKE_NAME.pattern
