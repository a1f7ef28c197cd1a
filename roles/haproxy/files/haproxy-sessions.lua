-- Copyright: the ivy.cluster contributors
-- GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- Ends the sessions of a server some seconds after it went down or into maintenance.
-- "on-marked-down shutdown-sessions" ends them at once, and with them the requests that are still connecting. Nothing of these was sent,
-- so HAProxy brings them to another server as soon as their attempt to connect ends.
--
-- Follows the cookie of a server again as soon as it is used for new users. If somebody sets it to ready by hand while its cookie is ignored,
-- its users would move at each request.

-- HAProxy 2.6 passes no arguments to a program.
local seconds = tonumber(os.getenv("IVY_SESSIONS_END_AFTER"))

local closed_nodes = os.getenv("IVY_CLOSED_NODES")

local function now()
    local time = core.now()
    return time.sec + time.usec / 1000000
end

core.register_task(function()
    local since, ended = {}, {}
    while true do
        for name, server in pairs(core.backends["engine_nodes"].servers) do
            local status = server:get_stats().status or ""
            if not (status:find("^DOWN") or status:find("^MAINT")) then
                since[name], ended[name] = nil, nil
                if not status:find("^DRAIN") then
                    core.del_acl(closed_nodes, name)
                end
            elseif since[name] == nil then
                since[name] = now()
            elseif not ended[name] and now() - since[name] >= seconds then
                server:shut_sess()
                ended[name] = true
            end
        end
        core.msleep(500)
    end
end)
