// The views there are, and what one must be allowed to do for each to be of use.

import { may } from "./access.js";
import { announceView } from "./views/announce.js";
import { deedsView } from "./views/deeds.js";
import { diagnosisView } from "./views/diagnosis.js";
import { invitationsView } from "./views/invitations.js";
import { limitsView } from "./views/limits.js";
import { operatorsView } from "./views/operators.js";
import { overviewView } from "./views/overview.js";
import { peopleView } from "./views/people.js";
import { sessionsView } from "./views/sessions.js";
import { wireView } from "./views/wire.js";

/**
 * In the order of the menu; a view gets who is here, the rest of the hash, and a signal for when
 * it is left.
 * @type {{name: string, needs: string, view: (context: any) => any}[]}
 */
export const SECTIONS = [
  { name: "overview", needs: "status", view: overviewView },
  { name: "people", needs: "account.list", view: peopleView },
  { name: "sessions", needs: "sessions", view: sessionsView },
  { name: "invitations", needs: "account.invitations", view: invitationsView },
  { name: "announce", needs: "announce", view: announceView },
  { name: "diagnosis", needs: "why", view: diagnosisView },
  { name: "wire", needs: "wire", view: wireView },
  { name: "limits", needs: "limits.show", view: limitsView },
  { name: "operators", needs: "operator.list", view: operatorsView },
  { name: "deeds", needs: "deeds", view: deedsView },
];

/** Return the sections of use to a role. */
export const sectionsOf = (role) => SECTIONS.filter((one) => may(role, one.needs));
