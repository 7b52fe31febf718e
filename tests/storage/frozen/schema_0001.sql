BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'s');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MAXIMIZE',1,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,1,1,3.18398824383818057626e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,1,2,4.85065491050484742796e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,1,3,5.68398824383818057626e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,1,4,6.18398824383818102035e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,1,5,6.51732157717151427966e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,1,6,6.75541681526675263924e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,1,7,6.93398824383818057626e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(8,1,8,7.07287713272706897171e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(9,1,9,7.1839882438381807983e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(10,2,1,4.08011877354036767151e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(11,2,2,5.7467854402070339681e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(12,2,3,6.58011877354036767151e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(13,2,4,7.08011877354036700538e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(14,2,5,7.41345210687370137492e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(15,2,6,7.65154734496893862427e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(16,2,7,7.83011877354036767151e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(17,2,8,7.96900766242925717719e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(18,2,9,8.08011877354036789355e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(19,3,1,1.14231606841709631972e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(20,4,1,4.47696464582439057622e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(21,4,2,6.14363131249105798303e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(22,4,3,6.97696464582439057622e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(23,4,4,7.47696464582439102031e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(24,4,5,7.81029797915772427963e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(25,4,6,8.0483932172529626392e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(26,4,7,8.22696464582439057622e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(27,4,8,8.36585353471327897167e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(28,4,9,8.47696464582439079826e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(29,5,1,3.31657429785479851425e-01,'FINITE');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'x',7.26146894411049292905e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(2,1,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null]}}');
INSERT INTO "trial_params" VALUES(3,2,'x',6.03295437891774422034e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(4,2,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null]}}');
INSERT INTO "trial_params" VALUES(5,3,'x',9.21102562511450617677e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(6,3,'kind',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null]}}');
INSERT INTO "trial_params" VALUES(7,3,'depth',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 1, "high": 4}}');
INSERT INTO "trial_params" VALUES(8,4,'x',0.0713003379592333,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(9,4,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null]}}');
INSERT INTO "trial_params" VALUES(10,5,'x',7.10295710694762383319e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(11,5,'kind',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b", null]}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,7.1839882438381807983e-01,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,8.08011877354036789355e-01,'FINITE');
INSERT INTO "trial_values" VALUES(3,3,0,1.14231606841709631972e-01,'FINITE');
INSERT INTO "trial_values" VALUES(4,4,0,8.47696464582439079826e-01,'FINITE');
INSERT INTO "trial_values" VALUES(5,5,0,3.31657429785479851425e-01,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-24 10:44:12.400188','2026-11-24 10:44:12.442459');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-24 10:44:12.451903','2026-11-24 10:44:12.488475');
INSERT INTO "trials" VALUES(3,2,1,'PRUNED','2026-11-24 10:44:12.494143','2026-11-24 10:44:12.506994');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-11-24 10:44:12.511490','2026-11-24 10:44:12.536787');
INSERT INTO "trials" VALUES(5,4,1,'PRUNED','2026-11-24 10:44:12.542779','2026-11-24 10:44:12.556084');
CREATE TABLE tuner_alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT tuner_alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "tuner_alembic_version" VALUES('0001');
CREATE TABLE tuner_attempt (
	trial_id INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	launch_id INTEGER NOT NULL, 
	node VARCHAR(255), 
	worker INTEGER, 
	device VARCHAR(64), 
	cpus DOUBLE NOT NULL, 
	gpus DOUBLE NOT NULL, 
	epochs_before INTEGER NOT NULL, 
	started_at FLOAT NOT NULL, 
	ended_at FLOAT, 
	outcome VARCHAR(32), 
	traceback TEXT, 
	CONSTRAINT pk_tuner_attempt PRIMARY KEY (trial_id, attempt), 
	CONSTRAINT fk_tuner_attempt_trial_id FOREIGN KEY(trial_id) REFERENCES tuner_trial (trial_id) ON DELETE CASCADE, 
	CONSTRAINT fk_tuner_attempt_launch_id FOREIGN KEY(launch_id) REFERENCES tuner_launch (launch_id) ON DELETE CASCADE
);
INSERT INTO "tuner_attempt" VALUES(1,1,1,'simulated',0,'none',1.0,0.0,0,0.0,540.0,'finished',NULL);
INSERT INTO "tuner_attempt" VALUES(2,1,1,'simulated',0,'none',1.0,0.0,0,540.0,1080.0,'finished',NULL);
INSERT INTO "tuner_attempt" VALUES(3,1,1,'simulated',0,'none',1.0,0.0,0,1080.0,1140.0,'stopped',NULL);
INSERT INTO "tuner_attempt" VALUES(4,1,1,'simulated',0,'none',1.0,0.0,0,1140.0,1680.0,'finished',NULL);
INSERT INTO "tuner_attempt" VALUES(5,1,1,'simulated',0,'none',1.0,0.0,0,1680.0,1740.0,'stopped',NULL);
CREATE TABLE tuner_decision (
	decision_id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	rule VARCHAR(64) NOT NULL, 
	verdict VARCHAR(16) NOT NULL, 
	reason TEXT NOT NULL, 
	bracket INTEGER, 
	rung INTEGER, 
	value FLOAT, 
	cutoff FLOAT, 
	CONSTRAINT pk_tuner_decision PRIMARY KEY (decision_id), 
	CONSTRAINT uq_tuner_decision_trial_id UNIQUE (trial_id, epoch, rule), 
	CONSTRAINT fk_tuner_decision_study_id FOREIGN KEY(study_id) REFERENCES studies (study_id) ON DELETE CASCADE, 
	CONSTRAINT fk_tuner_decision_trial_id FOREIGN KEY(trial_id) REFERENCES tuner_trial (trial_id) ON DELETE CASCADE
);
INSERT INTO "tuner_decision" VALUES(1,1,1,1,'asha','go on','rung 1: score 0.3184 is the first to reach this rung',0,1,3.18398824383818057626e-01,NULL);
INSERT INTO "tuner_decision" VALUES(2,1,1,3,'asha','go on','rung 3: score 0.5684 is the first to reach this rung',0,3,5.68398824383818057626e-01,NULL);
INSERT INTO "tuner_decision" VALUES(3,1,2,1,'asha','go on','rung 1: score 0.408 is among the best 1/3 of the 1 earlier there (cut-off 0.3184)',0,1,4.08011877354036767151e-01,3.18398824383818057626e-01);
INSERT INTO "tuner_decision" VALUES(4,1,2,3,'asha','go on','rung 3: score 0.658 is among the best 1/3 of the 1 earlier there (cut-off 0.5684)',0,3,6.58011877354036767151e-01,5.68398824383818057626e-01);
INSERT INTO "tuner_decision" VALUES(5,1,3,1,'asha','stop','rung 1: score 0.1142 is not among the best 1/3 of the 2 earlier there (cut-off 0.3781)',0,1,1.14231606841709631972e-01,3.78140859697297215813e-01);
INSERT INTO "tuner_decision" VALUES(6,1,4,1,'asha','go on','rung 1: score 0.4477 is among the best 1/3 of the 3 earlier there (cut-off 0.3483)',0,1,4.47696464582439057622e-01,3.48269842040557664475e-01);
INSERT INTO "tuner_decision" VALUES(7,1,4,3,'asha','go on','rung 3: score 0.6977 is among the best 1/3 of the 2 earlier there (cut-off 0.6281)',0,3,6.97696464582439057622e-01,6.28140859697297160302e-01);
INSERT INTO "tuner_decision" VALUES(8,1,5,1,'asha','stop','rung 1: score 0.3317 is not among the best 1/3 of the 4 earlier there (cut-off 0.408)',0,1,3.31657429785479851425e-01,4.08011877354036767151e-01);
CREATE TABLE tuner_epoch_metric (
	trial_id INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	value FLOAT, 
	CONSTRAINT pk_tuner_epoch_metric PRIMARY KEY (trial_id, epoch, name), 
	CONSTRAINT fk_tuner_epoch_metric_trial_id FOREIGN KEY(trial_id) REFERENCES tuner_trial (trial_id) ON DELETE CASCADE
);
INSERT INTO "tuner_epoch_metric" VALUES(1,1,'score',3.18398824383818057626e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,1,'loss',6.81601175616181942373e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,2,'score',4.85065491050484742796e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,2,'loss',5.14934508949515201692e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,3,'score',5.68398824383818057626e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,3,'loss',4.31601175616181942373e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,4,'score',6.18398824383818102035e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,4,'loss',3.81601175616181897964e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,5,'score',6.51732157717151427966e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,5,'loss',3.48267842282848572033e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,6,'score',6.75541681526675263924e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,6,'loss',3.24458318473324736075e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,7,'score',6.93398824383818057626e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,7,'loss',3.06601175616181942373e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,8,'score',7.07287713272706897171e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,8,'loss',2.92712286727293102828e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,9,'score',7.1839882438381807983e-01);
INSERT INTO "tuner_epoch_metric" VALUES(1,9,'loss',2.81601175616181920169e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,1,'score',4.08011877354036767151e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,1,'loss',5.91988122645963232848e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,2,'score',5.7467854402070339681e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,2,'loss',4.25321455979296603189e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,3,'score',6.58011877354036767151e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,3,'loss',3.41988122645963232848e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,4,'score',7.08011877354036700538e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,4,'loss',2.91988122645963299461e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,5,'score',7.41345210687370137492e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,5,'loss',2.58654789312629862507e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,6,'score',7.65154734496893862427e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,6,'loss',2.34845265503106137572e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,7,'score',7.83011877354036767151e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,7,'loss',2.16988122645963232848e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,8,'score',7.96900766242925717719e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,8,'loss',2.0309923375707428228e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,9,'score',8.08011877354036789355e-01);
INSERT INTO "tuner_epoch_metric" VALUES(2,9,'loss',1.91988122645963210644e-01);
INSERT INTO "tuner_epoch_metric" VALUES(3,1,'score',1.14231606841709631972e-01);
INSERT INTO "tuner_epoch_metric" VALUES(3,1,'loss',8.85768393158290368027e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,1,'score',4.47696464582439057622e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,1,'loss',5.52303535417560942377e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,2,'score',6.14363131249105798303e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,2,'loss',3.85636868750894201696e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,3,'score',6.97696464582439057622e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,3,'loss',3.02303535417560942377e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,4,'score',7.47696464582439102031e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,4,'loss',2.52303535417560897968e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,5,'score',7.81029797915772427963e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,5,'loss',2.18970202084227572036e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,6,'score',8.0483932172529626392e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,6,'loss',1.95160678274703736079e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,7,'score',8.22696464582439057622e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,7,'loss',1.77303535417560942377e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,8,'score',8.36585353471327897167e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,8,'loss',1.63414646528672102832e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,9,'score',8.47696464582439079826e-01);
INSERT INTO "tuner_epoch_metric" VALUES(4,9,'loss',1.52303535417560920173e-01);
INSERT INTO "tuner_epoch_metric" VALUES(5,1,'score',3.31657429785479851425e-01);
INSERT INTO "tuner_epoch_metric" VALUES(5,1,'loss',6.68342570214520148574e-01);
CREATE TABLE tuner_gradient_flow (
	trial_id INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	mean_abs_gradients BLOB NOT NULL, 
	CONSTRAINT pk_tuner_gradient_flow PRIMARY KEY (trial_id, epoch), 
	CONSTRAINT fk_tuner_gradient_flow_trial_id FOREIGN KEY(trial_id) REFERENCES tuner_trial (trial_id) ON DELETE CASCADE
);
CREATE TABLE tuner_launch (
	launch_id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	hostname VARCHAR(255) NOT NULL, 
	boot_id VARCHAR(64) NOT NULL, 
	pid_namespace VARCHAR(64) NOT NULL, 
	pid INTEGER NOT NULL, 
	process_start VARCHAR(32) NOT NULL, 
	started_at FLOAT NOT NULL, 
	heartbeat_at FLOAT NOT NULL, 
	ended_at FLOAT, 
	outcome VARCHAR(32), 
	versions JSON NOT NULL, 
	argv JSON NOT NULL, 
	CONSTRAINT pk_tuner_launch PRIMARY KEY (launch_id), 
	CONSTRAINT fk_tuner_launch_study_id FOREIGN KEY(study_id) REFERENCES studies (study_id) ON DELETE CASCADE
);
INSERT INTO "tuner_launch" VALUES(1,1,'host','00000000-0000-0000-0000-000000000000','pid:[1]',4494,'454325',1.7955170523520052433e+09,1.7955170523520052433e+09,1.79551705255900478364e+09,'finished','{"python": "3.11.7", "tuner": "0.1.0", "ray": "2.60.0", "optuna": "5.0.0", "torch": "2.14.1", "torchvision": "0.29.1", "sqlalchemy": "2.1.9", "numpy": "2.4.6"}','["-"]');
CREATE TABLE tuner_space (
	space_id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	content JSON NOT NULL, 
	data_fingerprint VARCHAR(64), 
	created_at FLOAT NOT NULL, 
	CONSTRAINT pk_tuner_space PRIMARY KEY (space_id), 
	CONSTRAINT uq_tuner_space_study_id UNIQUE (study_id, version), 
	CONSTRAINT fk_tuner_space_study_id FOREIGN KEY(study_id) REFERENCES studies (study_id) ON DELETE CASCADE
);
INSERT INTO "tuner_space" VALUES(1,1,1,'{"study": "s", "metric": {"name": "score", "goal": "maximize"}, "trainer": "tests.trainers:Curve", "settings": {"epochs": 9}, "space": {"x": {"low": 0.0, "high": 1.0}, "kind": ["a", "b", null], "depth": {"low": 1, "high": 4, "when": {"kind": ["a"]}}}, "sampler": {"name": "random", "seed": 7}, "early_stopping": {"name": "asha", "min_epochs": 1, "reduction_factor": 3, "brackets": 1}, "stop_when": ["not_finite"], "concurrency": "auto", "budget": {"trials": 5, "hours": null, "gpu_hours": null}, "resources": {"gpus": "auto", "cpus": "auto"}}',NULL,1.79551705234701633453e+09);
CREATE TABLE tuner_trial (
	trial_id INTEGER NOT NULL, 
	study_id INTEGER NOT NULL, 
	space_id INTEGER NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	attempt INTEGER NOT NULL, 
	bracket INTEGER NOT NULL, 
	configuration_hash VARCHAR(64) NOT NULL, 
	layers JSON, 
	CONSTRAINT pk_tuner_trial PRIMARY KEY (trial_id), 
	CONSTRAINT fk_tuner_trial_trial_id FOREIGN KEY(trial_id) REFERENCES trials (trial_id) ON DELETE CASCADE, 
	CONSTRAINT fk_tuner_trial_study_id FOREIGN KEY(study_id) REFERENCES studies (study_id) ON DELETE CASCADE, 
	CONSTRAINT fk_tuner_trial_space_id FOREIGN KEY(space_id) REFERENCES tuner_space (space_id) ON DELETE CASCADE
);
INSERT INTO "tuner_trial" VALUES(1,1,1,'ended',1,0,'7c7dab6d9c3d40e47fa7051c899a5af9d7f374df743978cee1d08b7d291505d3',NULL);
INSERT INTO "tuner_trial" VALUES(2,1,1,'ended',1,0,'68fd6f70bb0c2b2de02f35703a8f9b17a4acb9063e1422875da1d9229d9d3b00',NULL);
INSERT INTO "tuner_trial" VALUES(3,1,1,'ended',1,0,'0213ee569693084d0217754cf501428e8d168d3670c568f9436a5c77716192eb',NULL);
INSERT INTO "tuner_trial" VALUES(4,1,1,'ended',1,0,'c170361d16cdc0dbe4c1ae4a1cec1ef881d0e9002d75ddb710030a4aa3c4b883',NULL);
INSERT INTO "tuner_trial" VALUES(5,1,1,'ended',1,0,'0607211cbd6542a3f7ad19fb1b9112cbe150209efc3d122b6477cadb5a9354b9',NULL);
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
CREATE INDEX ix_tuner_launch_study_id ON tuner_launch (study_id);
CREATE INDEX ix_tuner_space_study_id ON tuner_space (study_id);
CREATE INDEX ix_tuner_trial_study_id ON tuner_trial (study_id, status);
CREATE INDEX ix_tuner_trial_configuration_hash ON tuner_trial (configuration_hash);
CREATE INDEX ix_tuner_attempt_launch_id ON tuner_attempt (launch_id);
CREATE INDEX ix_tuner_decision_study_id ON tuner_decision (study_id, rule, bracket, rung);
CREATE TRIGGER tuner_follow_trial AFTER DELETE ON trials BEGIN DELETE FROM tuner_decision WHERE trial_id = OLD.trial_id; DELETE FROM tuner_gradient_flow WHERE trial_id = OLD.trial_id; DELETE FROM tuner_epoch_metric WHERE trial_id = OLD.trial_id; DELETE FROM tuner_attempt WHERE trial_id = OLD.trial_id; DELETE FROM tuner_trial WHERE trial_id = OLD.trial_id; END;
CREATE TRIGGER tuner_follow_study AFTER DELETE ON studies BEGIN DELETE FROM tuner_space WHERE study_id = OLD.study_id; DELETE FROM tuner_launch WHERE study_id = OLD.study_id; END;
COMMIT;
