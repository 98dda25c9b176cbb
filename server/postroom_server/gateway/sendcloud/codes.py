"""The document's status codes and their texts, and which of them each parameter has.

The vendor mixes 模版 and 模板, and full and half commas; its spelling is kept.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Code:
    """A `statusCode` and its text. Business errors travel with HTTP status 200."""

    number: int
    text: str
    http_status: int = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter, and what is answered when it is blank and when it cannot be read."""

    name: str
    blank: Code
    malformed: Code


class Failure(Exception):  # noqa: N818 - it is an answer
    """Ends a call with a code. `detail` follows the code's text."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(f"{code.number} {code.text}")
        self.code = code
        self.detail = detail


SUCCESS = Code(200, "请求成功")
INTERNAL = Code(501, "服务器异常")
NO_SCOPE = Code(6001, "你没有权限访问")
NOT_RECOGNISED = Code(40005, "认证失败")
ADD_FAILED = Code(40215, "模板创建失败")
NOT_FOUND = Code(40216, "模板调用名称对应的模板不存在")
DELETE_FAILED = Code(40217, "模板删除失败")
UPDATE_FAILED = Code(40218, "模板更新失败")
EXISTS = Code(40220, "模版调用名称已经存在")
PENDING = Code(40223, "模板处于待审核状态, 不能修改")
TOO_HASTY = Code(50000, "请求过于频繁")

# The table has no words for these: they are ours.
MALFORMED = Code(400, "请求格式错误")
NO_SUCH_PATH = Code(404, "请求路径不存在", http_status=404)
NO_SUCH_METHOD = Code(405, "请求方法不支持", http_status=405)
TOO_SLOW = Code(408, "请求超时", http_status=408)
TOO_LARGE = Code(413, "请求体过大", http_status=413)
NO_SUCH_TYPE = Code(415, "请求内容类型不支持", http_status=415)

API_USER = Parameter("apiUser", NOT_RECOGNISED, NOT_RECOGNISED)
API_KEY = Parameter("apiKey", NOT_RECOGNISED, NOT_RECOGNISED)
START = Parameter("start", Code(40001, "start不能为空"), Code(40002, "start非法"))
LIMIT = Parameter("limit", Code(40003, "limit不能为空"), Code(40004, "limit非法"))
INVOKE_NAME = Parameter(
    "invokeName",
    Code(40201, "模版调用名称invokeName不能为空"),
    Code(40202, "模版调用名称invokeName格式错误"),
)
TEMPLATE_TYPE = Parameter(
    "templateType", Code(40203, "模版类型不能为空"), Code(40204, "非法的模板类型, 只能是0或者1")
)
TEMPLATE_STAT = Parameter(
    "templateStat",
    Code(40205, "templateStat不能为空"),
    Code(40206, "templateStat非法, 只能是-1, -2, 1, 0中的值"),
)
NAME = Parameter("name", Code(40207, "name不能为空"), Code(40208, "name格式非法"))
SUBJECT = Parameter("subject", Code(40209, "subject不能为空"), Code(40210, "subject格式非法"))
HTML = Parameter("html", Code(40211, "html不能为空"), Code(40212, "html格式非法"))
TEXT = Parameter("text", Code(40213, "text不能为空"), Code(40214, "text格式非法"))
IS_SUBMIT_AUDIT = Parameter(
    "isSubmitAudit", Code(40221, "isSubmitAudit不能为空"), Code(40222, "isSubmitAudit格式错误")
)

# In the order in which they are checked.
PARAMETERS = (
    API_USER,
    API_KEY,
    INVOKE_NAME,
    TEMPLATE_TYPE,
    TEMPLATE_STAT,
    START,
    LIMIT,
    NAME,
    SUBJECT,
    HTML,
    TEXT,
    IS_SUBMIT_AUDIT,
)


def too_many(limit: str) -> Code:
    """What is answered when there are as many templates as there may be."""
    return Code(40219, f"用户最多只能有{limit}个模板")
